//! What may be forgotten: rate limits. Losing it costs a little strictness and never safety.

mod memory;

use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use self::memory::{Key, Memory};

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

/// Refused; ask again after this long.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too many; wait {0:?}")]
pub struct Limited(pub Duration);

/// Counts requests against rules.
#[derive(Debug)]
pub struct Limits {
    backend: Backend,
    key: [u8; 32],
}

// Closed on purpose: handlers see `Limits` and never learn which one it is.
#[derive(Debug)]
enum Backend {
    Off,
    Memory(Memory),
}

impl Limits {
    /// Counts kept in this process. Whom they count is kept under a hash with `key`, so that a dump of the
    /// memory names nobody.
    pub fn memory(key: [u8; 32]) -> Self {
        Self {
            backend: Backend::Memory(Memory::new()),
            key,
        }
    }

    /// No limits (`limits.enabled = false`).
    pub fn off() -> Self {
        Self {
            backend: Backend::Off,
            key: [0; 32],
        }
    }

    /// Count one more of `rule` for `whom` at `now_micros` (microseconds since the epoch).
    pub fn take(&self, rule: &Rule, whom: &[u8], now_micros: i64) -> Result<(), Limited> {
        match &self.backend {
            Backend::Off => Ok(()),
            Backend::Memory(memory) => memory
                .take(self.hash(rule, whom), rule.burst, rule.every, now_micros)
                .map_err(Limited),
        }
    }

    /// Forget what was counted: the right password makes good the wrong ones before it.
    pub fn forget(&self, rule: &Rule, whom: &[u8]) {
        match &self.backend {
            Backend::Off => {}
            Backend::Memory(memory) => memory.forget(self.hash(rule, whom)),
        }
    }

    fn hash(&self, rule: &Rule, whom: &[u8]) -> Key {
        #[expect(clippy::expect_used, reason = "HMAC takes a key of any length")]
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.key).expect("a key of any length");
        mac.update(rule.name.as_bytes());
        mac.update(&[0]);
        mac.update(whom);
        let full = mac.finalize().into_bytes();
        let mut key = Key::default();
        key.copy_from_slice(&full[..16]);
        key
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_count_apart_and_forgetting_starts_anew() {
        let limits = Limits::memory([7; 32]);
        let one = Rule {
            name: "one",
            burst: 1,
            every: Duration::from_secs(10),
        };
        let two = Rule { name: "two", ..one };
        limits.take(&one, b"a", 0).unwrap();
        limits.take(&two, b"a", 0).unwrap();
        assert_eq!(limits.take(&one, b"a", 0), Err(Limited(Duration::from_secs(10))));
        limits.forget(&one, b"a");
        limits.take(&one, b"a", 0).unwrap();
    }
}
