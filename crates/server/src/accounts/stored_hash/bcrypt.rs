//! `bcrypt_sha256$$2b$12$<salt><hash>` and `bcrypt$$2b$12$<salt><hash>`: 22 and 31 letters of an alphabet of
//! their own, for 16 and 23 bytes.

use std::fmt;
use std::fmt::Write as _;

use base64::alphabet;
use base64::engine::{DecodePaddingMode, Engine as _, GeneralPurpose, GeneralPurposeConfig};
use blowfish::Blowfish;
use sha2::{Digest as _, Sha256};

use super::{CannotHash, NotAHash, Shape, StoredHash};

/// The last byte of what comes out is left away, as ever.
pub(super) const HASH_BYTES: usize = 23;
const SALT_LETTERS: usize = 22;
const HASH_LETTERS: usize = 31;
/// What is beyond was never looked at.
const MOST_PASSWORD_BYTES: usize = 72;
/// Sixteen times Django's 12: some 4 s.
const MOST_ROUNDS: u8 = 16;

/// Some programs leave bits in the last letter that stand for nothing.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::BCRYPT,
    GeneralPurposeConfig::new()
        .with_encode_padding(false)
        .with_decode_padding_mode(DecodePaddingMode::RequireNone)
        .with_decode_allow_trailing_bits(true),
);

pub(super) fn parse(sha256: bool, text: &str) -> Result<StoredHash, NotAHash> {
    // The text before begins with a `$` of its own.
    let mut parts = text.split('$');
    let (Some(""), Some(version), Some(rounds), Some(data), None) = (
        parts.next(),
        parts.next(),
        parts.next(),
        parts.next(),
        parts.next(),
    ) else {
        return Err(NotAHash("it does not have a version, rounds and data"));
    };
    let minor = match version {
        "2a" => b'a',
        "2b" => b'b',
        "2y" => b'y',
        _ => return Err(NotAHash("its version is none of 2a, 2b, 2y")),
    };
    let rounds = (rounds.len() == 2)
        .then(|| rounds.parse().ok())
        .flatten()
        .filter(|n| *n >= 4)
        .ok_or(NotAHash("its rounds are no number"))?;
    if rounds > MOST_ROUNDS {
        return Err(NotAHash("it asks for more than this program grants"));
    }
    if data.len() != SALT_LETTERS + HASH_LETTERS || !data.is_ascii() {
        return Err(NotAHash("its salt and hash are not 53 letters"));
    }
    let (salt, hash) = data.split_at(SALT_LETTERS);
    let decode = |letters| {
        BASE64
            .decode(letters)
            .map_err(|_| NotAHash("its letters are not bcrypt's"))
    };
    Ok(StoredHash {
        shape: Shape::Bcrypt {
            sha256,
            minor,
            rounds,
        },
        salt: decode(salt)?,
        hash: decode(hash)?,
    })
}

pub(super) fn derive(
    sha256: bool,
    rounds: u8,
    password: &[u8],
    salt: &[u8],
    hash: &mut [u8],
) -> Result<(), CannotHash> {
    let mut key = if sha256 {
        hex(&Sha256::digest(password)).into_bytes()
    } else {
        password[..password.len().min(MOST_PASSWORD_BYTES)].to_vec()
    };
    // The NUL counts, unless there is no room for it.
    if key.len() < MOST_PASSWORD_BYTES {
        key.push(0);
    }
    let mut state = Blowfish::bc_init_state();
    state.salted_expand_key(salt, &key);
    for _ in 0..1_u32 << rounds {
        state.bc_expand_key(&key);
        state.bc_expand_key(salt);
    }
    // "OrpheanBeholderScryDoubt"
    let mut out = Vec::with_capacity(24);
    for mut block in [
        [0x4f72_7068, 0x6561_6e42],
        [0x6568_6f6c, 0x6465_7253],
        [0x6372_7944, 0x6f75_6274],
    ] {
        for _ in 0..64 {
            block = state.bc_encrypt(block);
        }
        out.extend(block.into_iter().flat_map(u32::to_be_bytes));
    }
    let short = || CannotHash("bcrypt gives 23 bytes".to_owned());
    hash.copy_from_slice(out.get(..hash.len()).ok_or_else(short)?);
    Ok(())
}

pub(super) fn write(
    f: &mut fmt::Formatter<'_>,
    sha256: bool,
    minor: u8,
    rounds: u8,
    salt: &[u8],
    hash: &[u8],
) -> fmt::Result {
    let name = if sha256 { "bcrypt_sha256" } else { "bcrypt" };
    let (minor, salt, hash) = (char::from(minor), BASE64.encode(salt), BASE64.encode(hash));
    write!(f, "{name}$$2{minor}${rounds:02}${salt}{hash}")
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
}
