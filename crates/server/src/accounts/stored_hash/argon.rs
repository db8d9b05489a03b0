//! `argon2$argon2id$v=19$m=19456,t=2,p=1$<salt>$<hash>`: salt and hash in base64 without padding, the salt being
//! base64 of a text.

use std::fmt;

use argon2::{Algorithm, Argon2, Block, Params, Version};
use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;

use super::{CannotHash, NotAHash, Shape, StoredHash};

/// What one Argon2 hash costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cost {
    /// KiB of memory.
    pub memory: u32,
    /// Passes over it.
    pub passes: u32,
    /// Lanes.
    pub lanes: u32,
}

impl Default for Cost {
    /// 19 MiB, 2 passes, 1 lane: ASVS 5.0 appendix C, OWASP's first choice.
    fn default() -> Self {
        Self {
            memory: 19 * 1_024,
            passes: 2,
            lanes: 1,
        }
    }
}

/// A stored hash may ask for no more than this; a row that somebody wrote by hand must not stop the program.
const MOST: Cost = Cost {
    memory: 1_024 * 1_024,
    passes: 20,
    lanes: 16,
};

pub(super) fn parse(text: &str) -> Result<StoredHash, NotAHash> {
    let mut parts = text.split('$');
    let id = match parts.next() {
        Some("argon2id") => true,
        Some("argon2i") => false,
        _ => return Err(NotAHash("neither argon2id nor argon2i")),
    };
    if parts.next() != Some("v=19") {
        return Err(NotAHash("its version is not 19"));
    }
    let cost =
        parse_cost(parts.next().unwrap_or_default()).ok_or(NotAHash("its parameters are not m, t, p"))?;
    if cost.memory > MOST.memory || cost.passes > MOST.passes || cost.lanes > MOST.lanes {
        return Err(NotAHash("it asks for more than this program grants"));
    }
    let mut bytes = || parts.next().and_then(|part| STANDARD_NO_PAD.decode(part).ok());
    let salt = bytes().ok_or(NotAHash("its salt is not base64"))?;
    let hash = bytes().ok_or(NotAHash("its hash is not base64"))?;
    if parts.next().is_some() {
        return Err(NotAHash("it has too many parts"));
    }
    if !(16..=64).contains(&hash.len()) || !(8..=64).contains(&salt.len()) {
        return Err(NotAHash("its salt or hash is too short, or too long"));
    }
    // What the library would refuse is refused here, where it is told apart from a failure.
    Params::new(cost.memory, cost.passes, cost.lanes, Some(hash.len()))
        .map_err(|_| NotAHash("its parameters are not possible"))?;
    Ok(StoredHash {
        shape: Shape::Argon2 { id, cost },
        salt,
        hash,
    })
}

fn parse_cost(text: &str) -> Option<Cost> {
    let mut parts = text.split(',');
    let mut number = |name| parts.next()?.strip_prefix(name)?.parse::<u32>().ok();
    let cost = Cost {
        memory: number("m=")?,
        passes: number("t=")?,
        lanes: number("p=")?,
    };
    parts.next().is_none().then_some(cost)
}

pub(super) fn derive(
    id: bool,
    cost: Cost,
    password: &[u8],
    salt: &[u8],
    memory: &mut Vec<Block>,
    hash: &mut [u8],
) -> Result<(), CannotHash> {
    let failed = |error: argon2::Error| CannotHash(error.to_string());
    let params = Params::new(cost.memory, cost.passes, cost.lanes, Some(hash.len())).map_err(failed)?;
    memory.resize(params.block_count(), Block::new());
    let algorithm = if id {
        Algorithm::Argon2id
    } else {
        Algorithm::Argon2i
    };
    Argon2::new(algorithm, Version::V0x13, params)
        .hash_password_into_with_memory(password, salt, hash, memory.as_mut_slice())
        .map_err(failed)
}

pub(super) fn write(
    f: &mut fmt::Formatter<'_>,
    id: bool,
    cost: Cost,
    salt: &[u8],
    hash: &[u8],
) -> fmt::Result {
    let Cost {
        memory,
        passes,
        lanes,
    } = cost;
    let algorithm = if id { "argon2id" } else { "argon2i" };
    let (salt, hash) = (STANDARD_NO_PAD.encode(salt), STANDARD_NO_PAD.encode(hash));
    write!(
        f,
        "argon2${algorithm}$v=19$m={memory},t={passes},p={lanes}${salt}${hash}"
    )
}
