//! What may be forgotten: rate limits. Losing it costs a little strictness and never safety.

mod memory;

use std::time::Duration;

use gatepost_tokens::DerivedKey;
use hmac::Mac as _;

use self::memory::{Key, Memory};
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
}

impl Limits {
    /// Counts kept in this process. Whom they count is kept under a hash with `key`, so that a dump of the
    /// memory names nobody.
    pub fn memory(key: DerivedKey) -> Self {
        Self(Backend::Memory(key, Memory::new()))
    }

    /// No limits (`limits.enabled = false`).
    pub fn off() -> Self {
        Self(Backend::Off)
    }

    /// Count one more of `rule` for `whom` at `now_micros` (microseconds since the epoch).
    pub fn take(&self, rule: &Rule, whom: &[u8], now_micros: i64) -> Result<(), Limited> {
        match &self.0 {
            Backend::Off => Ok(()),
            Backend::Memory(key, memory) => memory
                .take(counter(key, rule, whom), rule.burst, rule.every, now_micros)
                .map_err(Limited),
        }
    }

    /// Forget what was counted: the right password makes good the wrong ones before it.
    pub fn forget(&self, rule: &Rule, whom: &[u8]) {
        match &self.0 {
            Backend::Off => {}
            Backend::Memory(key, memory) => memory.forget(counter(key, rule, whom)),
        }
    }
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

    #[test]
    fn rules_count_apart_and_forgetting_starts_anew() {
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
        limits.take(&one, b"a", 0).unwrap();
        limits.take(&two, b"a", 0).unwrap();
        assert_eq!(limits.take(&one, b"a", 0), Err(Limited(Duration::from_secs(10))));
        limits.forget(&one, b"a");
        limits.take(&one, b"a", 0).unwrap();
    }
}
