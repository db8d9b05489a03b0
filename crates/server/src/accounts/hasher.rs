//! Passwords, hashed: slow on purpose, and kept from slowing everything else.
//!
//! At most as many hashes run at a time as there are cores, on threads of their own, and only so many
//! wait; more are refused at once, since a login that is answered after a minute has failed anyway.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use argon2::Block;
use gatepost_storage::Store;
use gatepost_tokens::DerivedKey;
use tokio::sync::Semaphore;

use super::hash_memory::Memory;
use super::nobody::Nobody;
use super::password::Password;
pub use super::stored_hash::Cost;
use super::stored_hash::{CannotHash, Shape, StoredHash};

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

impl From<CannotHash> for HashError {
    fn from(error: CannotHash) -> Self {
        Self::Failed(error.into())
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
    /// The right one, hashed in another way or at another cost than today's: hash it anew while it is at hand.
    RightOutdated,
}

/// Hashes and compares passwords in a bounded pool. Clones share it.
#[derive(Debug, Clone)]
pub struct Hasher {
    today: Shape,
    leaves_others: bool,
    compares_legacy: bool,
    nobody: Nobody,
    at_once: usize,
    places: Arc<Semaphore>,
    waiting: Arc<AtomicUsize>,
    most_waiting: usize,
    memory: Arc<Memory>,
}

impl Hasher {
    /// `at_once` hashes at a time (at least one), `most_waiting` in hand, those that run included.
    pub fn new(today: impl Into<Shape>, at_once: usize, most_waiting: usize) -> Self {
        Self {
            today: today.into(),
            leaves_others: false,
            compares_legacy: false,
            nobody: Nobody::new(None),
            at_once: at_once.max(1),
            places: Arc::new(Semaphore::new(at_once.max(1))),
            waiting: Arc::new(AtomicUsize::new(0)),
            most_waiting,
            memory: Arc::default(),
        }
    }

    /// One hash a core; in line as many as take about five seconds.
    pub fn for_this_machine(today: impl Into<Shape>) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        Self::new(today, cores, cores * 128)
    }

    /// A right password is never hashed anew, however old its hash: the table is another program's.
    #[must_use]
    pub fn leaving_others(self) -> Self {
        Self {
            leaves_others: true,
            ..self
        }
    }

    /// Compare single digests (`md5`, `sha1`) too; else they match nothing.
    #[must_use]
    pub fn comparing_legacy(self, compares_legacy: bool) -> Self {
        Self {
            compares_legacy,
            ..self
        }
    }

    /// Give each unknown name a kind and cost of its own, drawn under `key` from those that
    /// [`look`](Self::look) saw stored.
    #[must_use]
    pub fn drawing_under(self, key: DerivedKey) -> Self {
        Self {
            nobody: Nobody::new(Some(key)),
            ..self
        }
    }

    /// See what kinds of hashes the users of this store have, if that was not done in the last ten minutes.
    pub async fn look(&self, store: &Store) -> Result<(), gatepost_storage::Error> {
        self.nobody.look(store, |shape| self.compares(shape)).await
    }

    fn compares(&self, shape: Shape) -> bool {
        self.compares_legacy || !shape.is_legacy()
    }

    /// Whether a stored text is one whose password can be found right.
    pub fn can_compare(&self, stored: &str) -> bool {
        matches!(StoredHash::parse(stored), Ok(Some(hash)) if self.compares(hash.shape()))
    }

    /// Hash `password` with a new salt.
    pub async fn hash(&self, password: &Password) -> Result<String, HashError> {
        let (today, password) = (self.today, password.clone());
        self.run(move |memory| Ok(StoredHash::of(&password, today, memory)?.to_string()))
            .await
    }

    /// Compare `password` with a stored hash of ours. With `None` (nobody of that name) the same work is done
    /// against a hash that nothing matches.
    pub async fn verify(&self, password: &Password, stored: Option<&str>) -> Result<Verdict, HashError> {
        self.compare(password, stored, self.today).await
    }

    /// Compare `password` with what is stored for `name`. With `None` (nobody of that name), and where no
    /// password is set, the work is that of one of the kinds that are stored, always the same for the name.
    pub async fn verify_user(
        &self,
        password: &Password,
        stored: Option<&str>,
        name: &str,
    ) -> Result<Verdict, HashError> {
        let nobody = self.nobody.shape(name, self.today);
        self.compare(password, stored, nobody).await
    }

    async fn compare(
        &self,
        password: &Password,
        stored: Option<&str>,
        nobody: Shape,
    ) -> Result<Verdict, HashError> {
        let (today, leaves_others, password) = (self.today, self.leaves_others, password.clone());
        let stored = stored.and_then(|text| {
            // Told in the log and to nobody else: another answer, or a quicker one, would show who is known.
            StoredHash::parse(text)
                .inspect_err(|error| tracing::error!(%error, "a password cannot be compared"))
                .ok()?
        });
        let stored = stored.filter(|stored| {
            let compares = self.compares(stored.shape());
            if !compares {
                tracing::error!(
                    kind = stored.shape().name(),
                    "a password is stored as good as readable and is not compared; see accounts.legacy_hashes"
                );
            }
            compares
        });
        self.run(move |memory| {
            let known = stored.is_some();
            let stored = stored.unwrap_or_else(|| StoredHash::nobody(nobody));
            let equal = stored.matches(&password, memory)?;
            Ok(match (known && equal, leaves_others || stored.shape() == today) {
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
