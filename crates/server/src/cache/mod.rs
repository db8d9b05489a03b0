//! What may be forgotten: rate limits. Losing it costs a little strictness and never safety.

mod memory;
mod redis;

use std::time::Duration;

use gatepost_tokens::DerivedKey;
use hmac::Mac as _;

use self::memory::{Key, Memory};
pub(crate) use self::redis::check_url;
use self::redis::{Asked, Counted};
pub use self::redis::{CacheError, Redis};
use crate::keyed;

/// How often something may be done: `burst` at once, then one every `every`.
#[derive(Debug, Clone, Copy)]
pub struct Rule {
    /// Keeps the counts of one rule apart from another's.
    pub name: &'static str,
    /// How many at once.
    pub burst: u32,
    /// After the burst, one in this time.
    pub every: Duration,
}

/// One thing to count: by which rule, and for whom.
pub type Count<'a> = (&'a Rule, &'a [u8]);

/// Refused; ask again after this long.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too many; wait {0:?}")]
pub struct Limited(pub Duration);

/// Counts requests against rules.
#[derive(Debug)]
pub struct Limits(Backend);

// Closed on purpose: handlers see `Limits` and never learn which one it is.
#[derive(Debug)]
enum Backend {
    Off,
    Memory(DerivedKey, Memory),
    /// The memory holds what this process has seen of the counts in Redis, and counts by itself while there is none.
    Redis(DerivedKey, Memory, Redis),
}

impl Limits {
    /// Counts kept in this process. Whom they count is kept under a hash with `key`, so that a dump of the
    /// memory names nobody.
    pub fn memory(key: DerivedKey) -> Self {
        Self(Backend::Memory(key, Memory::new()))
    }

    /// Counts that all instances share, under the same hashes. While Redis can't be asked, each process counts by
    /// itself from what it has seen last.
    pub fn redis(key: DerivedKey, redis: Redis) -> Self {
        Self(Backend::Redis(key, Memory::new(), redis))
    }

    /// No limits (`limits.enabled = false`).
    pub fn off() -> Self {
        Self(Backend::Off)
    }

    /// Count one more of each, in this order, at `now_micros` (microseconds since the epoch). The first that is
    /// refused ends it: those before it are counted, itself and those after it are not.
    pub async fn take(&self, counts: &[Count<'_>], now_micros: i64) -> Result<(), Limited> {
        let (key, memory) = match &self.0 {
            Backend::Off => return Ok(()),
            Backend::Memory(key, memory) => (key, memory),
            Backend::Redis(key, memory, redis) => {
                if let Some(together) = together(redis, memory, key, counts, now_micros).await {
                    return together;
                }
                (key, memory)
            }
        };
        for (rule, whom) in counts {
            memory
                .take(counter(key, rule, whom), rule.burst, rule.every, now_micros)
                .map_err(Limited)?;
        }
        Ok(())
    }

    /// Forget what was counted: the right password makes good the wrong ones before it.
    pub async fn forget(&self, counts: &[Count<'_>], now_micros: i64) {
        let (key, memory, redis) = match &self.0 {
            Backend::Off => return,
            Backend::Memory(key, memory) => (key, memory, None),
            Backend::Redis(key, memory, redis) => (key, memory, Some(redis)),
        };
        let keys: Vec<Key> = counts
            .iter()
            .map(|(rule, whom)| counter(key, rule, whom))
            .collect();
        for key in &keys {
            memory.forget(*key);
        }
        if let Some(redis) = redis {
            redis.forget(&keys, now_micros).await;
        }
    }
}

/// The counts of all instances; none if Redis can't say.
async fn together(
    redis: &Redis,
    memory: &Memory,
    key: &DerivedKey,
    counts: &[Count<'_>],
    now: i64,
) -> Option<Result<(), Limited>> {
    let asked: Vec<Asked> = counts
        .iter()
        .map(|(rule, whom)| {
            let key = counter(key, rule, whom);
            let every = memory::micros(rule.every);
            Asked {
                key,
                ahead: memory::ahead(rule.burst, every),
                every,
                seen: memory.seen(key),
            }
        })
        .collect();
    let Counted { wait, caught_up } = redis.take(&asked, now).await?;
    for (one, caught_up) in asked.iter().zip(caught_up) {
        memory.learn(one.key, caught_up, now);
    }
    Some(wait.map_or(Ok(()), |wait| Err(Limited(wait))))
}

/// Under what the count of `rule` for `whom` is kept.
fn counter(key: &DerivedKey, rule: &Rule, whom: &[u8]) -> Key {
    let full = keyed::mac(key.as_ref(), rule.name, whom).finalize().into_bytes();
    let mut counter = Key::default();
    counter.copy_from_slice(&full[..16]);
    counter
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn rules_count_apart_and_forgetting_starts_anew() {
        let limits = Limits::memory(
            gatepost_tokens::Keys::from_secret([7; 32])
                .unwrap()
                .derive("limits"),
        );
        let one = Rule {
            name: "one",
            burst: 1,
            every: Duration::from_secs(10),
        };
        let two = Rule { name: "two", ..one };
        let refused = Err(Limited(Duration::from_secs(10)));
        limits.take(&[(&one, b"a")], 0).await.unwrap();
        // The first that is refused ends it: `two` is not counted.
        assert_eq!(limits.take(&[(&one, b"a"), (&two, b"a")], 0).await, refused);
        limits.take(&[(&two, b"a")], 0).await.unwrap();
        limits.forget(&[(&one, b"a")], 0).await;
        limits.take(&[(&one, b"a")], 0).await.unwrap();
        assert_eq!(limits.take(&[(&one, b"a")], 0).await, refused);
    }
}
