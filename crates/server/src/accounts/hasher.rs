//! Passwords, hashed: slow on purpose, and kept from slowing everything else.
//!
//! At most as many hashes run at a time as there are cores, on threads of their own, and only so many
//! wait; more are refused at once, since a login that is answered after a minute has failed anyway.
//!
//! Stored strings are Django's, `argon2$argon2id$v=19$m=19456,t=2,p=1$<salt>$<hash>` with a salt of 22
//! letters and digits, so that a Django that reads the table can check them.

use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use argon2::{Algorithm, Argon2, Block, Params, Version};
use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use subtle::ConstantTimeEq;
use tokio::sync::Semaphore;

use super::hash_memory::Memory;
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

/// A hash could not be made or compared.
#[derive(Debug, thiserror::Error)]
pub enum HashError {
    /// Too many are waiting.
    #[error("too many passwords wait to be hashed")]
    Busy,
    /// The stored text is not a hash that this program knows.
    #[error("the stored password is not an Argon2 hash: {0}")]
    Stored(&'static str),
    /// The computation failed; memory, for instance.
    #[error("hashing failed")]
    Failed(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl HashError {
    /// Whether it makes sense to ask again.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Busy)
    }
}

/// What a comparison found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Another password.
    Wrong,
    /// The right one.
    Right,
    /// The right one, hashed at another cost than today's: hash it anew while it is at hand.
    RightOutdated,
}

/// Hashes and compares passwords in a bounded pool. Clones share it.
#[derive(Debug, Clone)]
pub struct Hasher {
    cost: Cost,
    at_once: usize,
    places: Arc<Semaphore>,
    waiting: Arc<AtomicUsize>,
    most_waiting: usize,
    memory: Arc<Memory>,
}

impl Hasher {
    /// `at_once` hashes at a time (at least one), `most_waiting` in line behind them.
    pub fn new(cost: Cost, at_once: usize, most_waiting: usize) -> Self {
        Self {
            cost,
            at_once: at_once.max(1),
            places: Arc::new(Semaphore::new(at_once.max(1))),
            waiting: Arc::new(AtomicUsize::new(0)),
            most_waiting,
            memory: Arc::default(),
        }
    }

    /// One hash a core; in line as many as take about five seconds.
    pub fn for_this_machine(cost: Cost) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        Self::new(cost, cores, cores * 128)
    }

    /// Hash `password` with a new salt.
    pub async fn hash(&self, password: &Password) -> Result<String, HashError> {
        let (cost, password) = (self.cost, password.clone());
        self.run(move |memory| {
            let salt = new_salt();
            let hash = derive(
                password.expose(),
                salt.as_bytes(),
                Algorithm::Argon2id,
                cost,
                HASH_BYTES,
                memory,
            )?;
            Ok(encode(&salt, &hash, cost))
        })
        .await
    }

    /// Compare `password` with a stored hash. With `None` (nobody of that name) the same work is done
    /// against a hash that nothing matches.
    pub async fn verify(&self, password: &Password, stored: Option<&str>) -> Result<Verdict, HashError> {
        let (today, password) = (self.cost, password.clone());
        let stored = stored.filter(|text| !is_unusable(text)).and_then(|text| {
            // Told in the log and to nobody else: another answer, or a quicker one, would show who is known.
            Stored::parse(text)
                .inspect_err(|error| tracing::error!(%error, "a stored password cannot be compared"))
                .ok()
        });
        self.run(move |memory| {
            let known = stored.is_some();
            let stored = stored.unwrap_or_else(|| Stored::nobody(today));
            let hash = derive(
                password.expose(),
                &stored.salt,
                stored.algorithm,
                stored.cost,
                stored.hash.len(),
                memory,
            )?;
            let equal = bool::from(hash.ct_eq(&stored.hash));
            Ok(
                match (
                    known && equal,
                    stored.cost == today && stored.algorithm == Algorithm::Argon2id,
                ) {
                    (false, _) => Verdict::Wrong,
                    (true, true) => Verdict::Right,
                    (true, false) => Verdict::RightOutdated,
                },
            )
        })
        .await
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Vec<Block>) -> Result<T, HashError> + Send + 'static,
    ) -> Result<T, HashError> {
        let in_line = Waiting::join(&self.waiting, self.most_waiting)?;
        let place = Arc::clone(&self.places)
            .acquire_owned()
            .await
            .map_err(|_| HashError::Busy)?;
        let (memory, at_once) = (Arc::clone(&self.memory), self.at_once);
        // Held by the work, not by the request: a client that hangs up frees no core.
        let done = tokio::task::spawn_blocking(move || {
            let mut blocks = memory.take();
            let done = work(&mut blocks);
            let others = in_line.leave();
            memory.give_back(blocks, others >= at_once);
            drop(place);
            done
        });
        done.await.map_err(|error| HashError::Failed(error.into()))?
    }
}

/// One place among those who wait or are at it, given back when dropped.
struct Waiting(Arc<AtomicUsize>);

impl Waiting {
    fn join(line: &Arc<AtomicUsize>, most: usize) -> Result<Self, HashError> {
        if line.fetch_add(1, Ordering::Relaxed) >= most {
            line.fetch_sub(1, Ordering::Relaxed);
            return Err(HashError::Busy);
        }
        Ok(Self(Arc::clone(line)))
    }

    /// Give it back; how many others there are.
    fn leave(self) -> usize {
        let line = Arc::clone(&self.0);
        drop(self);
        line.load(Ordering::Relaxed)
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A stored text that no password matches: Django's mark for "no password set".
pub(crate) fn is_unusable(stored: &str) -> bool {
    stored.is_empty() || stored.starts_with('!')
}

struct Stored {
    algorithm: Algorithm,
    cost: Cost,
    salt: Vec<u8>,
    hash: Vec<u8>,
}

impl Stored {
    fn nobody(cost: Cost) -> Self {
        Self {
            algorithm: Algorithm::Argon2id,
            cost,
            salt: vec![b'0'; SALT_CHARS],
            hash: vec![0; HASH_BYTES],
        }
    }

    fn parse(text: &str) -> Result<Self, HashError> {
        let no = HashError::Stored;
        let mut parts = text.split('$');
        if parts.next() != Some("argon2") {
            return Err(no("it does not begin with argon2"));
        }
        let algorithm = match parts.next() {
            Some("argon2id") => Algorithm::Argon2id,
            Some("argon2i") => Algorithm::Argon2i,
            _ => return Err(no("neither argon2id nor argon2i")),
        };
        if parts.next() != Some("v=19") {
            return Err(no("its version is not 19"));
        }
        let cost =
            parse_cost(parts.next().unwrap_or_default()).ok_or(no("its parameters are not m, t, p"))?;
        if cost.memory > MOST.memory || cost.passes > MOST.passes || cost.lanes > MOST.lanes {
            return Err(no("it asks for more than this program grants"));
        }
        let mut bytes = || parts.next().and_then(|part| STANDARD_NO_PAD.decode(part).ok());
        let salt = bytes().ok_or(no("its salt is not base64"))?;
        let hash = bytes().ok_or(no("its hash is not base64"))?;
        if hash.len() < 16 || salt.len() < 8 {
            return Err(no("its salt or hash is too short"));
        }
        Ok(Self {
            algorithm,
            cost,
            salt,
            hash,
        })
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

fn encode(salt: &str, hash: &[u8], cost: Cost) -> String {
    let mut text = String::from("argon2$argon2id$v=19$");
    let Cost {
        memory,
        passes,
        lanes,
    } = cost;
    let _ = write!(text, "m={memory},t={passes},p={lanes}$");
    STANDARD_NO_PAD.encode_string(salt, &mut text);
    text.push('$');
    STANDARD_NO_PAD.encode_string(hash, &mut text);
    text
}

fn derive(
    password: &str,
    salt: &[u8],
    algorithm: Algorithm,
    cost: Cost,
    bytes: usize,
    memory: &mut Vec<Block>,
) -> Result<Vec<u8>, HashError> {
    let failed = |error: argon2::Error| HashError::Failed(error.to_string().into());
    let params = Params::new(cost.memory, cost.passes, cost.lanes, Some(bytes)).map_err(failed)?;
    let mut hash = vec![0; bytes];
    memory.resize(params.block_count(), Block::new());
    Argon2::new(algorithm, Version::V0x13, params)
        .hash_password_into_with_memory(password.as_bytes(), salt, &mut hash, memory.as_mut_slice())
        .map_err(failed)?;
    Ok(hash)
}

/// 22 letters and digits, 128 bits and more, as Django makes them.
fn new_salt() -> String {
    const LETTERS: &[u8; 62] = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
    let mut salt = String::with_capacity(SALT_CHARS);
    while salt.len() < SALT_CHARS {
        for byte in crate::random::bytes::<32>() {
            // 248 is the largest multiple of 62 in a byte: what lies above would favour the first letters.
            if byte < 248 && salt.len() < SALT_CHARS {
                salt.push(char::from(LETTERS[usize::from(byte) % LETTERS.len()]));
            }
        }
    }
    salt
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHEAP: Cost = Cost {
        memory: 64,
        passes: 1,
        lanes: 1,
    };

    fn password(text: &str) -> Password {
        Password::parse(text).unwrap()
    }

    #[tokio::test]
    async fn a_hash_knows_its_password_and_no_other() {
        let hasher = Hasher::new(CHEAP, 1, 10);
        let stored = hasher.hash(&password("seven owls in an attic")).await.unwrap();
        assert!(
            stored.starts_with("argon2$argon2id$v=19$m=64,t=1,p=1$"),
            "{stored}"
        );
        assert_eq!(
            hasher
                .verify(&password("seven owls in an attic"), Some(&stored))
                .await
                .unwrap(),
            Verdict::Right
        );
        assert_eq!(
            hasher
                .verify(&password("eight owls in an attic"), Some(&stored))
                .await
                .unwrap(),
            Verdict::Wrong
        );
        assert_eq!(
            hasher
                .verify(&password("seven owls in an attic"), None)
                .await
                .unwrap(),
            Verdict::Wrong
        );
        assert_eq!(
            hasher.verify(&password("x"), Some("!unusable")).await.unwrap(),
            Verdict::Wrong
        );
    }

    #[tokio::test]
    async fn a_hash_made_by_django_is_understood() {
        let stored = "argon2$argon2id$v=19$m=64,t=1,p=1$c2FsdHNhbHRzYWx0c2FsdHNhbHQyMg$br7jtpWWN7mjnlGbyDHk17J/PBBhoVJnWnZO7iPzL6M";
        let hasher = Hasher::new(CHEAP, 1, 10);
        assert_eq!(
            hasher
                .verify(&password("correct horse"), Some(stored))
                .await
                .unwrap(),
            Verdict::Right
        );
        let dearer = Hasher::new(Cost { passes: 2, ..CHEAP }, 1, 10);
        assert_eq!(
            dearer
                .verify(&password("correct horse"), Some(stored))
                .await
                .unwrap(),
            Verdict::RightOutdated
        );
    }

    #[tokio::test]
    async fn a_stored_text_may_not_ask_for_the_moon() {
        let stored = "argon2$argon2id$v=19$m=64000000,t=1,p=1$c2FsdHNhbHRzYWx0c2FsdHNhbHQyMg$br7jtpWWN7mjnlGbyDHk17J/PBBhoVJnWnZO7iPzL6M";
        let hasher = Hasher::new(CHEAP, 1, 10);
        for text in [stored, "pbkdf2_sha256$1$a$b", "argon2$argon2id$v=19$m=64$$"] {
            let verdict = hasher
                .verify(&password("correct horse"), Some(text))
                .await
                .unwrap();
            assert_eq!(verdict, Verdict::Wrong, "{text}");
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn after_a_burst_the_memory_goes_back() {
        let hasher = Hasher::new(CHEAP, 2, 100);
        let word = password("seven owls in an attic");
        futures_util::future::try_join_all((0..50).map(|_| hasher.hash(&word)))
            .await
            .unwrap();
        assert_eq!(
            (hasher.memory.kept(), hasher.waiting.load(Ordering::Relaxed)),
            (0, 0)
        );
    }

    #[tokio::test]
    async fn a_full_line_refuses_at_once() {
        let hasher = Hasher::new(
            Cost {
                memory: 19_456,
                passes: 2,
                lanes: 1,
            },
            1,
            1,
        );
        let word = password("seven owls in an attic");
        let (one, two) = tokio::join!(hasher.hash(&word), hasher.hash(&word));
        assert!(one.is_ok());
        assert!(matches!(two, Err(HashError::Busy)));
        hasher.hash(&word).await.unwrap();
    }

    #[test]
    fn salts_are_what_django_makes() {
        let salt = new_salt();
        assert!(
            salt.len() == 22 && salt.chars().all(|c| c.is_ascii_alphanumeric()),
            "{salt}"
        );
        assert_ne!(salt, new_salt());
    }
}
