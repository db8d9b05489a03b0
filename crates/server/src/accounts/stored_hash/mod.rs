//! A password as it is stored, in the forms in which Django stores one. Ours is Django's argon2 with a salt of
//! 22 letters and digits, so that a Django that reads the table can check it.
//!
//! What is parsed comes from a table that others may write to: costs are bounded, and nothing here panics.

mod argon;
mod bcrypt;
mod pbkdf2;
mod plain;
mod salt;
mod scrypt;
mod shape;

use std::fmt;

use ::argon2::Block;
use subtle::ConstantTimeEq;

pub use self::argon::Cost;
pub use self::pbkdf2::Digest;
pub use self::plain::Plain;
pub use self::shape::Shape;
use super::password::Password;

/// A stored text that is not a hash which this program can compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a stored password is not a hash that can be compared: {0}")]
pub struct NotAHash(&'static str);

/// The computation did not work out: no memory, for instance.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a password could not be hashed: {0}")]
pub struct CannotHash(String);

/// A hash with everything that it takes to make it again.
pub struct StoredHash {
    shape: Shape,
    /// The bytes that go into the computation: for most kinds the salt's text as it stands.
    salt: Vec<u8>,
    hash: Vec<u8>,
}

impl StoredHash {
    /// Hash a password with a new salt.
    pub(super) fn of(password: &Password, shape: Shape, memory: &mut Vec<Block>) -> Result<Self, CannotHash> {
        let mut stored = Self::nobody(shape);
        stored.salt = match shape {
            Shape::Bcrypt { .. } => crate::random::bytes::<16>().to_vec(),
            _ => salt::new(),
        };
        stored.hash = stored.derive(password, memory)?;
        Ok(stored)
    }

    /// A hash of this kind and cost that no password matches: to do the same work for nobody.
    pub fn nobody(shape: Shape) -> Self {
        let salt = match shape {
            Shape::Bcrypt { .. } => vec![0; 16],
            _ => vec![b'0'; salt::CHARS],
        };
        Self {
            shape,
            salt,
            hash: vec![0; shape.hash_bytes()],
        }
    }

    /// Read what is stored. `None` for Django's mark of "no password set" (`!`, or nothing at all), which no
    /// password matches.
    pub fn parse(text: &str) -> Result<Option<Self>, NotAHash> {
        if text.is_empty() || text.starts_with('!') {
            return Ok(None);
        }
        let (kind, rest) = text.split_once('$').unwrap_or(("", text));
        let parsed = match kind {
            "argon2" => argon::parse(rest),
            "pbkdf2_sha256" => pbkdf2::parse(Digest::Sha256, rest),
            "pbkdf2_sha1" => pbkdf2::parse(Digest::Sha1, rest),
            "bcrypt_sha256" => bcrypt::parse(true, rest),
            "bcrypt" => bcrypt::parse(false, rest),
            "scrypt" => scrypt::parse(rest),
            "md5" | "sha1" | "" => plain::parse(kind, rest),
            _ => Err(NotAHash("its kind is not known here")),
        };
        parsed.map(Some)
    }

    /// Whether this password was hashed, in a time that does not tell how much of it fits. `memory` is working
    /// memory, as large as it has to be afterwards.
    pub fn matches(&self, password: &Password, memory: &mut Vec<Block>) -> Result<bool, CannotHash> {
        let hash = self.derive(password, memory)?;
        Ok(hash.ct_eq(&self.hash).into())
    }

    /// Its kind and its cost.
    pub fn shape(&self) -> Shape {
        self.shape
    }

    fn derive(&self, password: &Password, memory: &mut Vec<Block>) -> Result<Vec<u8>, CannotHash> {
        let (password, salt) = (password.expose().as_bytes(), self.salt.as_slice());
        let mut hash = vec![0; self.hash.len()];
        match self.shape {
            Shape::Argon2 { id, cost } => argon::derive(id, cost, password, salt, memory, &mut hash)?,
            Shape::Pbkdf2 { digest, iterations } => {
                pbkdf2::derive(digest, iterations, password, salt, &mut hash);
            }
            Shape::Bcrypt { sha256, rounds, .. } => {
                bcrypt::derive(sha256, rounds, password, salt, &mut hash)?;
            }
            Shape::Scrypt {
                log_n,
                block,
                parallel,
            } => scrypt::derive(log_n, block, parallel, password, salt, &mut hash)?,
            Shape::Plain(plain) => plain::derive(plain, password, salt, &mut hash),
        }
        Ok(hash)
    }
}

/// As Django writes it.
impl fmt::Display for StoredHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (salt, hash) = (self.salt.as_slice(), self.hash.as_slice());
        match self.shape {
            Shape::Argon2 { id, cost } => argon::write(f, id, cost, salt, hash),
            Shape::Pbkdf2 { digest, iterations } => pbkdf2::write(f, digest, iterations, salt, hash),
            Shape::Bcrypt {
                sha256,
                minor,
                rounds,
            } => bcrypt::write(f, sha256, minor, rounds, salt, hash),
            Shape::Scrypt {
                log_n,
                block,
                parallel,
            } => scrypt::write(f, log_n, block, parallel, salt, hash),
            Shape::Plain(plain) => plain::write(f, plain, salt, hash),
        }
    }
}

/// The kind and the cost; neither salt nor hash.
impl fmt::Debug for StoredHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoredHash")
            .field("shape", &self.shape)
            .finish_non_exhaustive()
    }
}

/// A salt that stands in the text as it is.
fn text_salt(text: &str) -> Result<Vec<u8>, NotAHash> {
    if text.is_empty() || text.len() > salt::MOST_CHARS {
        return Err(NotAHash("its salt is missing or too long"));
    }
    Ok(text.as_bytes().to_vec())
}

/// A salt that came out of such a text.
fn salt_text(salt: &[u8]) -> &str {
    std::str::from_utf8(salt).unwrap_or_default()
}

#[cfg(test)]
mod tests;
