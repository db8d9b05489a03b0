//! A new RSA key: the primes by `crypto-primes`, the sums by `crypto-bigint`, the last word by ring.

use std::convert::Infallible;

use crypto_bigint::rand_core::{TryCryptoRng, TryRng};
use crypto_bigint::{NonZero, U1024, U2048};
use crypto_primes::{Flavor, random_prime};

use crate::error::KeyError;
use crate::jwk::{Jwk, encode};

const BITS: u32 = 2048;
/// 2^16 + 1, as everybody's.
const EXPONENT: u32 = 65_537;
/// How far apart the primes must be, in bits (FIPS 186-5 A.1.3): nearer ones can be guessed from the modulus.
const APART: u32 = BITS / 2 - 100;

/// 2048 bits, good for 112 bits of security until 2030 at least (NIST SP 800-57).
pub(crate) fn generate() -> Result<Jwk, KeyError> {
    let mut random = System(None);
    loop {
        let (a, b): (U1024, U1024) = (
            random_prime(&mut random, Flavor::Any, BITS / 2),
            random_prime(&mut random, Flavor::Any, BITS / 2),
        );
        if let Some(error) = random.0 {
            return Err(KeyError::Random(error));
        }
        // The larger one first, so that its partner can be inverted modulo it.
        let (p, q) = if a > b { (a, b) } else { (b, a) };
        if let Some(key) = from_primes(&p, &q) {
            return Ok(key);
        }
    }
}

/// None if the primes do not make a good key; others will.
fn from_primes(p: &U1024, q: &U1024) -> Option<Jwk> {
    let modulus: U2048 = p.concatenating_mul(q);
    if modulus.bits_vartime() != BITS || p.wrapping_sub(q).bits_vartime() <= APART {
        return None;
    }
    let (below_p, below_q) = (p.wrapping_sub(&U1024::ONE), q.wrapping_sub(&U1024::ONE));
    let totient: NonZero<U2048> = some(NonZero::new(below_p.concatenating_mul(&below_q)))?;
    let d: U2048 = some(U2048::from_u32(EXPONENT).invert_mod(&totient))?;
    let dp: U1024 = d.rem(&some(NonZero::new(below_p))?);
    let dq: U1024 = d.rem(&some(NonZero::new(below_q))?);
    let qi: U1024 = some(q.invert_mod(&some(NonZero::new(*p))?))?;
    Some(Jwk {
        kty: "RSA".to_owned(),
        n: Some(encode(modulus.to_be_bytes())),
        e: Some(encode([1_u8, 0, 1])),
        d: Some(number(&d.to_be_bytes()).into()),
        p: Some(encode(p.to_be_bytes()).into()),
        q: Some(encode(q.to_be_bytes()).into()),
        dp: Some(number(&dp.to_be_bytes()).into()),
        dq: Some(number(&dq.to_be_bytes()).into()),
        qi: Some(number(&qi.to_be_bytes()).into()),
        ..Jwk::default()
    })
}

/// A number as RFC 7518 2 writes it: without leading zero bytes.
fn number(bytes: &impl AsRef<[u8]>) -> String {
    let bytes = bytes.as_ref();
    let first = bytes.iter().position(|byte| *byte != 0).unwrap_or(bytes.len());
    encode(&bytes[first..])
}

fn some<T>(value: impl Into<Option<T>>) -> Option<T> {
    value.into()
}

/// The system's generator in the shape that finds primes. A failure is kept and ends the search: what it filled with
/// zeros till then is thrown away.
struct System(Option<getrandom::Error>);

impl TryRng for System {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        let mut bytes = [0; 4];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u32::from_le_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let mut bytes = [0; 8];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u64::from_le_bytes(bytes))
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        if let Err(error) = crate::random::fill(bytes) {
            self.0 = Some(error);
        }
        Ok(())
    }
}

impl TryCryptoRng for System {}
