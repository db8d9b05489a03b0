//! Private keys as OpenSSL writes them: PKCS #8 (RFC 5958), RSA (RFC 8017) and elliptic curves (RFC 5915), in PEM.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use zeroize::Zeroizing;

use crate::curve::Curve;
use crate::error::KeyError;
use crate::jwk::{Jwk, Private, encode};

const RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1];
const EC: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1];
const ED25519: &[u8] = &[0x2b, 0x65, 0x70];

const INTEGER: u8 = 0x02;
const BITS: u8 = 0x03;
const OCTETS: u8 = 0x04;
const OID: u8 = 0x06;
const SEQUENCE: u8 = 0x30;
/// The tagged parts of an elliptic key: its curve, its public half.
const PART_0: u8 = 0xa0;
const PART_1: u8 = 0xa1;

const BROKEN: KeyError = KeyError::Pem("it is cut short or no DER");

/// The first private key in the text.
pub(crate) fn parse(text: &str) -> Result<Jwk, KeyError> {
    let mut rest = text;
    while let Some((_, after)) = rest.split_once("-----BEGIN ") {
        let (label, after) = after.split_once("-----").ok_or(BROKEN)?;
        let (body, after) = after.split_once("-----END ").ok_or(BROKEN)?;
        rest = after;
        let read: fn(&[u8]) -> Result<Jwk, KeyError> = match label {
            "PRIVATE KEY" => pkcs8,
            "RSA PRIVATE KEY" => rsa,
            "EC PRIVATE KEY" => |der| ec(der, None),
            "ENCRYPTED PRIVATE KEY" => return Err(KeyError::Pem("it is encrypted: `openssl pkey` opens it")),
            // A certificate, the parameters of a curve, a public key: the private one may follow.
            _ => continue,
        };
        if body.contains("ENCRYPTED") {
            return Err(KeyError::Pem("it is encrypted: `openssl pkey` opens it"));
        }
        let body: Zeroizing<String> = Zeroizing::new(body.split_ascii_whitespace().collect());
        let der = STANDARD.decode(body.as_bytes()).map(Zeroizing::new);
        return read(&der.map_err(|_| KeyError::Pem("it is no base64"))?);
    }
    Err(KeyError::Pem("no -----BEGIN PRIVATE KEY----- stands in it"))
}

/// PKCS #8 without its wrapping in text.
pub(crate) fn pkcs8(der: &[u8]) -> Result<Jwk, KeyError> {
    let mut key = Der(Der(der).take(SEQUENCE)?);
    key.take(INTEGER)?;
    let mut kind = Der(key.take(SEQUENCE)?);
    let private = key.take(OCTETS)?;
    match kind.take(OID)? {
        RSA => rsa(private),
        EC => ec(private, Some(kind.take(OID)?)),
        ED25519 => ed25519(private),
        _ => Err(KeyError::Pem(
            "it is for neither RSA, an elliptic curve nor Ed25519",
        )),
    }
}

fn rsa(der: &[u8]) -> Result<Jwk, KeyError> {
    let mut key = Der(Der(der).take(SEQUENCE)?);
    // 1 is for keys of more than two primes, which nobody has.
    if key.number()? != [] as [u8; 0] {
        return Err(KeyError::Pem("it has more than two primes"));
    }
    let mut next = || key.number().map(encode);
    let (n, e) = (next()?, next()?);
    let mut secret = || next().map(|text| Some(Private::from(text)));
    Ok(Jwk {
        kty: "RSA".to_owned(),
        n: Some(n),
        e: Some(e),
        d: secret()?,
        p: secret()?,
        q: secret()?,
        dp: secret()?,
        dq: secret()?,
        qi: secret()?,
        ..Jwk::default()
    })
}

fn ec(der: &[u8], curve: Option<&[u8]>) -> Result<Jwk, KeyError> {
    let mut key = Der(Der(der).take(SEQUENCE)?);
    key.take(INTEGER)?;
    let private = key.take(OCTETS)?;
    let named = key.maybe(PART_0)?.map(|part| Der(part).take(OID)).transpose()?;
    let curve = curve
        .or(named)
        .and_then(Curve::by_oid)
        .ok_or(KeyError::Pem("its curve is another than P-256 and P-384"))?;
    let point = key
        .maybe(PART_1)?
        .ok_or(KeyError::Pem("its public half is missing: `openssl ec` adds it"))?;
    // No unused bits, and the point uncompressed.
    let Some(([0, 4], point)) = Der(point).take(BITS)?.split_first_chunk::<2>() else {
        return Err(KeyError::Pem("its public half is compressed"));
    };
    if point.len() != 2 * curve.bytes || private.len() > curve.bytes {
        return Err(BROKEN);
    }
    let (x, y) = point.split_at(curve.bytes);
    // Some leave out leading zeros (RFC 5915 has none left out).
    let mut whole = Zeroizing::new(vec![0_u8; curve.bytes - private.len()]);
    whole.extend_from_slice(private);
    Ok(Jwk {
        kty: "EC".to_owned(),
        crv: Some(curve.name.to_owned()),
        x: Some(encode(x)),
        y: Some(encode(y)),
        d: Some(encode(whole.as_slice()).into()),
        ..Jwk::default()
    })
}

fn ed25519(der: &[u8]) -> Result<Jwk, KeyError> {
    let seed = Der(der).take(OCTETS)?;
    let pair = Ed25519KeyPair::from_seed_unchecked(seed).map_err(|_| BROKEN)?;
    Ok(Jwk {
        kty: "OKP".to_owned(),
        crv: Some("Ed25519".to_owned()),
        x: Some(encode(pair.public_key().as_ref())),
        d: Some(encode(seed).into()),
        ..Jwk::default()
    })
}

/// What is left of a value's content.
struct Der<'a>(&'a [u8]);

impl<'a> Der<'a> {
    /// The content of the next value, which has to be of this kind.
    fn take(&mut self, tag: u8) -> Result<&'a [u8], KeyError> {
        self.maybe(tag)?.ok_or(BROKEN)
    }

    /// The content of the next value, if it is of this kind.
    fn maybe(&mut self, tag: u8) -> Result<Option<&'a [u8]>, KeyError> {
        let Some((_, rest)) = self.0.split_first().filter(|(first, _)| **first == tag) else {
            return Ok(None);
        };
        let (&first, mut rest) = rest.split_first().ok_or(BROKEN)?;
        let length = if first < 0x80 {
            usize::from(first)
        } else {
            // Up to 64 KiB: no key is longer.
            let bytes = usize::from(first & 0x7f);
            if !(1..=2).contains(&bytes) || rest.len() < bytes {
                return Err(BROKEN);
            }
            let (length, after) = rest.split_at(bytes);
            rest = after;
            length.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte))
        };
        if rest.len() < length {
            return Err(BROKEN);
        }
        let (content, rest) = rest.split_at(length);
        self.0 = rest;
        Ok(Some(content))
    }

    /// The bytes of the next number, which is not negative, without leading zeros.
    fn number(&mut self) -> Result<&'a [u8], KeyError> {
        let bytes = self.take(INTEGER)?;
        let first = bytes.iter().position(|byte| *byte != 0).unwrap_or(bytes.len());
        Ok(&bytes[first..])
    }
}
