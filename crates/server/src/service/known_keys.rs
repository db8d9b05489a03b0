//! API keys in memory, for a second at most: a program that asks a thousand times a second costs one read of the table.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use gatepost_storage::{Error, Store, Timestamp, Wakeups, api_keys};

use super::api_key::ApiKey;
use super::scope::Scopes;

/// A key that was revoked elsewhere opens nothing after this, even if the news got lost.
const KEPT: Duration = Duration::from_secs(1);
/// More keys than that are not in use at once by anybody; then it begins anew.
const ROOM: usize = 1_024;
const NEVER: i64 = i64::MIN;

/// The keys that were presented within the last second.
pub(crate) struct KnownKeys {
    by_hash: RwLock<HashMap<[u8; 32], Arc<Known>>>,
    wakeups: Wakeups,
}

/// A living key.
pub(crate) struct Known {
    pub(crate) key: ApiKey,
    read_at: Instant,
    /// How many revocations had been told of before it was read.
    told: u64,
    /// When its use was last noted, in microseconds since 1970.
    noted: AtomicI64,
}

impl Known {
    /// Whether its use was not noted after this.
    pub(crate) fn is_to_be_noted(&self, since: Timestamp) -> bool {
        self.noted.load(Ordering::Relaxed) <= since.as_micros()
    }

    /// Its use has been noted.
    pub(crate) fn note(&self, now: Timestamp) {
        self.noted.store(now.as_micros(), Ordering::Relaxed);
    }
}

impl KnownKeys {
    pub(crate) fn new(store: &Store) -> Self {
        Self {
            by_hash: RwLock::default(),
            wakeups: store.subscribe(api_keys::TOPIC),
        }
    }

    /// The living key of this hash.
    pub(crate) async fn find(&self, store: &Store, hash: [u8; 32]) -> Result<Option<Arc<Known>>, Error> {
        // Before the reading: who is told of a revocation while it runs reads again.
        let (read_at, told) = (Instant::now(), self.wakeups.count());
        let known = self
            .by_hash
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&hash)
            .cloned();
        if let Some(known) = known
            && known.told == told
            && known.read_at.elapsed() < KEPT
        {
            return Ok(Some(known));
        }
        let row = store
            .read("find_api_key", move |tx| {
                Box::pin(async move { api_keys::find_living(tx, &hash).await })
            })
            .await?;
        let found = row.map(|row| {
            Arc::new(Known {
                noted: AtomicI64::new(row.last_used_at.map_or(NEVER, Timestamp::as_micros)),
                key: ApiKey {
                    id: row.id,
                    name: row.name.into(),
                    scopes: Scopes::stored(&row.scopes),
                },
                read_at,
                told,
            })
        });
        let mut by_hash = self.by_hash.write().unwrap_or_else(PoisonError::into_inner);
        match &found {
            Some(known) => {
                if by_hash.len() >= ROOM {
                    by_hash.clear();
                }
                by_hash.insert(hash, Arc::clone(known));
            }
            None => {
                by_hash.remove(&hash);
            }
        }
        Ok(found)
    }
}

impl fmt::Debug for KnownKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KnownKeys").finish_non_exhaustive()
    }
}
