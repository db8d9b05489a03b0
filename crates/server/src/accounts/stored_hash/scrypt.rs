//! `scrypt$<N>$<salt>$<r>$<p>$<hash>`: the hash in base64 with padding.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use scrypt::Params;

use super::{CannotHash, NotAHash, Shape, StoredHash, salt_text, text_salt};

/// As Django asks for.
pub(super) const HASH_BYTES: usize = 64;
/// N times r blocks of 128 bytes stand in memory at once: 256 MiB.
const MOST_BLOCKS: u64 = 1 << 21;
/// N times r times p: some thirteen times Django's 2^14 * 8 * 5.
const MOST_WORK: u64 = 1 << 23;

pub(super) fn parse(text: &str) -> Result<StoredHash, NotAHash> {
    let mut parts = text.split('$');
    let (Some(n), Some(salt), Some(block), Some(parallel), Some(hash), None) = (
        parts.next(),
        parts.next(),
        parts.next(),
        parts.next(),
        parts.next(),
        parts.next(),
    ) else {
        return Err(NotAHash("it does not have N, salt, r, p and hash"));
    };
    let number = |text: &str| {
        text.parse::<u32>()
            .ok()
            .filter(|n| *n > 0)
            .ok_or(NotAHash("one of N, r, p is no number"))
    };
    let (n, block, parallel) = (number(n)?, number(block)?, number(parallel)?);
    if !n.is_power_of_two() || n < 2 {
        return Err(NotAHash("its N is no power of two"));
    }
    let blocks = u64::from(n) * u64::from(block);
    if blocks > MOST_BLOCKS || blocks.saturating_mul(parallel.into()) > MOST_WORK {
        return Err(NotAHash("it asks for more than this program grants"));
    }
    let log_n = u8::try_from(n.trailing_zeros()).map_err(|_| NotAHash("its N is too large"))?;
    let salt = text_salt(salt)?;
    let hash = STANDARD
        .decode(hash)
        .map_err(|_| NotAHash("its hash is not base64"))?;
    if hash.len() != HASH_BYTES {
        return Err(NotAHash("its hash is not 64 bytes"));
    }
    Params::new(log_n, block, parallel, HASH_BYTES)
        .map_err(|_| NotAHash("its parameters are not possible"))?;
    Ok(StoredHash {
        shape: Shape::Scrypt {
            log_n,
            block,
            parallel,
        },
        salt,
        hash,
    })
}

pub(super) fn derive(
    log_n: u8,
    block: u32,
    parallel: u32,
    password: &[u8],
    salt: &[u8],
    hash: &mut [u8],
) -> Result<(), CannotHash> {
    let params =
        Params::new(log_n, block, parallel, HASH_BYTES).map_err(|error| CannotHash(error.to_string()))?;
    scrypt::scrypt(password, salt, &params, hash).map_err(|error| CannotHash(error.to_string()))
}

pub(super) fn write(
    f: &mut fmt::Formatter<'_>,
    log_n: u8,
    block: u32,
    parallel: u32,
    salt: &[u8],
    hash: &[u8],
) -> fmt::Result {
    let (salt, hash) = (salt_text(salt), STANDARD.encode(hash));
    write!(f, "scrypt${}${salt}${block}${parallel}${hash}", 1_u64 << log_n)
}
