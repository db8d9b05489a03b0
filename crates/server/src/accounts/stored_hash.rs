//! A password as it is stored: Django's `argon2$argon2id$v=19$m=19456,t=2,p=1$<salt>$<hash>`, with a salt of
//! 22 letters and digits, so that a Django that reads the table can check it.

use std::fmt;

use argon2::{Algorithm, Argon2, Block, Params, Version};
use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use subtle::ConstantTimeEq;

use super::password::Password;

/// What one hash costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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

const HASH_BYTES: usize = 32;
const SALT_CHARS: usize = 22;

/// A stored text that is not a hash which this program can compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a stored password is not an Argon2 hash: {0}")]
pub(super) struct NotAHash(&'static str);

/// A hash with everything that it takes to make it again.
pub(super) struct StoredHash {
    algorithm: Algorithm,
    cost: Cost,
    salt: Vec<u8>,
    hash: Vec<u8>,
}

impl StoredHash {
    /// Hash a password with a new salt.
    pub(super) fn of(
        password: &Password,
        cost: Cost,
        memory: &mut Vec<Block>,
    ) -> Result<Self, argon2::Error> {
        let mut stored = Self::nobody(cost);
        stored.salt = new_salt();
        stored.hash = stored.derive(password, memory)?;
        Ok(stored)
    }

    /// A hash of this cost that no password matches: to do the same work for nobody.
    pub(super) fn nobody(cost: Cost) -> Self {
        Self {
            algorithm: Algorithm::Argon2id,
            cost,
            salt: vec![b'0'; SALT_CHARS],
            hash: vec![0; HASH_BYTES],
        }
    }

    /// Read what is stored. `None` for Django's mark of "no password set", which nothing matches.
    pub(super) fn parse(text: &str) -> Result<Option<Self>, NotAHash> {
        if text.is_empty() || text.starts_with('!') {
            return Ok(None);
        }
        let mut parts = text.split('$');
        if parts.next() != Some("argon2") {
            return Err(NotAHash("it does not begin with argon2"));
        }
        let algorithm = match parts.next() {
            Some("argon2id") => Algorithm::Argon2id,
            Some("argon2i") => Algorithm::Argon2i,
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
        if hash.len() < 16 || salt.len() < 8 {
            return Err(NotAHash("its salt or hash is too short"));
        }
        Ok(Some(Self {
            algorithm,
            cost,
            salt,
            hash,
        }))
    }

    /// Whether this password was hashed, in a time that does not tell how much of it fits.
    pub(super) fn matches(
        &self,
        password: &Password,
        memory: &mut Vec<Block>,
    ) -> Result<bool, argon2::Error> {
        let hash = self.derive(password, memory)?;
        Ok(hash.ct_eq(&self.hash).into())
    }

    /// Whether it would be made so today.
    pub(super) fn is_of(&self, cost: Cost) -> bool {
        self.cost == cost && self.algorithm == Algorithm::Argon2id
    }

    fn derive(&self, password: &Password, memory: &mut Vec<Block>) -> Result<Vec<u8>, argon2::Error> {
        let Cost {
            memory: kib,
            passes,
            lanes,
        } = self.cost;
        let params = Params::new(kib, passes, lanes, Some(self.hash.len()))?;
        memory.resize(params.block_count(), Block::new());
        let mut hash = vec![0; self.hash.len()];
        Argon2::new(self.algorithm, Version::V0x13, params).hash_password_into_with_memory(
            password.expose().as_bytes(),
            &self.salt,
            &mut hash,
            memory.as_mut_slice(),
        )?;
        Ok(hash)
    }
}

impl fmt::Display for StoredHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Cost {
            memory,
            passes,
            lanes,
        } = self.cost;
        let (salt, hash) = (
            STANDARD_NO_PAD.encode(&self.salt),
            STANDARD_NO_PAD.encode(&self.hash),
        );
        write!(
            f,
            "argon2${}$v=19$m={memory},t={passes},p={lanes}${salt}${hash}",
            self.algorithm.as_str()
        )
    }
}

fn parse_cost(text: &str) -> Option<Cost> {
    let mut numbers = ["m=", "t=", "p="]
        .into_iter()
        .zip(text.split(','))
        .map(|(name, part)| part.strip_prefix(name)?.parse::<u32>().ok());
    Some(Cost {
        memory: numbers.next()??,
        passes: numbers.next()??,
        lanes: numbers.next()??,
    })
}

/// 22 letters and digits, 128 bits and more, as Django makes them.
fn new_salt() -> Vec<u8> {
    const LETTERS: &[u8; 62] = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
    let mut salt = Vec::with_capacity(SALT_CHARS);
    while salt.len() < SALT_CHARS {
        for byte in crate::random::bytes::<32>() {
            // 248 is the largest multiple of 62 in a byte: what lies above would favour the first letters.
            if byte < 248 && salt.len() < SALT_CHARS {
                salt.push(LETTERS[usize::from(byte) % LETTERS.len()]);
            }
        }
    }
    salt
}

#[cfg(test)]
mod tests {
    use super::*;

    const DJANGO: &str = "argon2$argon2id$v=19$m=64,t=1,p=1$c2FsdHNhbHRzYWx0c2FsdHNhbHQyMg$br7jtpWWN7mjnlGbyDHk17J/PBBhoVJnWnZO7iPzL6M";

    #[test]
    fn a_hash_made_by_django_is_read_compared_and_written_as_it_was() {
        let stored = StoredHash::parse(DJANGO).unwrap().unwrap();
        let matches = |text| {
            stored
                .matches(&Password::parse(text).unwrap(), &mut Vec::new())
                .unwrap()
        };
        assert!(matches("correct horse") && !matches("correct house"));
        assert_eq!(stored.to_string(), DJANGO);
    }

    #[test]
    fn salts_are_what_django_makes() {
        let salt = new_salt();
        assert!(salt.len() == 22 && salt.iter().all(u8::is_ascii_alphanumeric));
        assert_ne!(salt, new_salt());
    }

    #[test]
    fn other_texts_are_told_apart() {
        assert!(StoredHash::parse("!KtHf").unwrap().is_none() && StoredHash::parse("").unwrap().is_none());
        let moon = DJANGO.replace("m=64", "m=64000000");
        for bad in [
            moon.as_str(),
            "pbkdf2_sha256$1$a$b",
            "argon2$argon2id$v=19$m=64$$",
            "argon2$argon2d$v=19$",
        ] {
            assert!(StoredHash::parse(bad).is_err(), "{bad}");
        }
    }
}
