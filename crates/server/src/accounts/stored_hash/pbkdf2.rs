//! `pbkdf2_sha256$<iterations>$<salt>$<hash>`: Django's own choice. The hash in base64 with padding.

use std::fmt;
use std::num::NonZeroU32;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::pbkdf2;

use super::{NotAHash, Shape, StoredHash, salt_text, text_salt};

/// Ten times Django 5.2's: about 3 s here. Who writes more into a row asks this program to stand still.
const MOST_ITERATIONS: u32 = 10_000_000;

/// What PBKDF2 iterates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Digest {
    /// HMAC-SHA-256.
    Sha256,
    /// HMAC-SHA-1.
    Sha1,
}

impl Digest {
    pub(super) fn bytes(self) -> usize {
        match self {
            Self::Sha256 => 32,
            Self::Sha1 => 20,
        }
    }
}

pub(super) fn parse(digest: Digest, text: &str) -> Result<StoredHash, NotAHash> {
    let mut parts = text.split('$');
    let (Some(iterations), Some(salt), Some(hash), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(NotAHash("it does not have iterations, salt and hash"));
    };
    let iterations = iterations
        .parse()
        .ok()
        .filter(|n| *n > 0)
        .ok_or(NotAHash("its iterations are no number"))?;
    if iterations > MOST_ITERATIONS {
        return Err(NotAHash("it asks for more than this program grants"));
    }
    let salt = text_salt(salt)?;
    let hash = STANDARD
        .decode(hash)
        .map_err(|_| NotAHash("its hash is not base64"))?;
    if hash.len() != digest.bytes() {
        return Err(NotAHash("its hash is not as long as its digest"));
    }
    Ok(StoredHash {
        shape: Shape::Pbkdf2 { digest, iterations },
        salt,
        hash,
    })
}

pub(super) fn derive(digest: Digest, iterations: u32, password: &[u8], salt: &[u8], hash: &mut [u8]) {
    let algorithm = match digest {
        Digest::Sha256 => pbkdf2::PBKDF2_HMAC_SHA256,
        Digest::Sha1 => pbkdf2::PBKDF2_HMAC_SHA1,
    };
    let iterations = NonZeroU32::new(iterations).unwrap_or(NonZeroU32::MIN);
    pbkdf2::derive(algorithm, iterations, salt, password, hash);
}

pub(super) fn write(
    f: &mut fmt::Formatter<'_>,
    digest: Digest,
    iterations: u32,
    salt: &[u8],
    hash: &[u8],
) -> fmt::Result {
    let name = Shape::Pbkdf2 { digest, iterations }.name();
    let (salt, hash) = (salt_text(salt), STANDARD.encode(hash));
    write!(f, "{name}${iterations}${salt}${hash}")
}
