//! Passwords, hashed: slow on purpose, and kept from slowing everything else.
//!
//! At most as many hashes run at a time as there are cores, on threads of their own, and only so many
//! wait; more are refused at once, since a login that is answered after a minute has failed anyway.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use argon2::Block;
use tokio::sync::Semaphore;

use super::hash_memory::Memory;
use super::password::Password;
pub use super::stored_hash::Cost;
use super::stored_hash::StoredHash;

/// A hash could not be made or compared.
#[derive(Debug, thiserror::Error)]
pub enum HashError {
    /// Too many are waiting.
    #[error("too many passwords wait to be hashed")]
    Busy,
    /// The computation failed; memory, for instance.
    #[error("hashing failed")]
    Failed(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl From<argon2::Error> for HashError {
    fn from(error: argon2::Error) -> Self {
        Self::Failed(error.to_string().into())
    }
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
    /// `at_once` hashes at a time (at least one), `most_waiting` in hand, those that run included.
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
        self.run(move |memory| Ok(StoredHash::of(&password, cost, memory)?.to_string()))
            .await
    }

    /// Compare `password` with a stored hash. With `None` (nobody of that name) the same work is done
    /// against a hash that nothing matches.
    pub async fn verify(&self, password: &Password, stored: Option<&str>) -> Result<Verdict, HashError> {
        let (today, password) = (self.cost, password.clone());
        let stored = stored.and_then(|text| {
            // Told in the log and to nobody else: another answer, or a quicker one, would show who is known.
            StoredHash::parse(text)
                .inspect_err(|error| tracing::error!(%error, "a password cannot be compared"))
                .ok()?
        });
        self.run(move |memory| {
            let known = stored.is_some();
            let stored = stored.unwrap_or_else(|| StoredHash::nobody(today));
            let equal = stored.matches(&password, memory)?;
            Ok(match (known && equal, stored.is_of(today)) {
                (false, _) => Verdict::Wrong,
                (true, true) => Verdict::Right,
                (true, false) => Verdict::RightOutdated,
            })
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
}
