//! Rate limits of one process, in a bounded table.
//!
//! GCRA: a key stands for one moment, the time at which it will have caught up. A request moves it on by
//! the rule's interval and is refused if that would run ahead of the clock by more than the burst.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// 128 bits of a keyed hash: of a rule's name and of whom it counts.
pub(crate) type Key = [u8; 16];

/// Keys a shard holds; 16 shards of 8,192 keys stay under 8 MiB.
const SHARD_KEYS: usize = 8_192;
const SHARDS: usize = 16;

#[derive(Debug)]
pub(crate) struct Memory {
    shards: Vec<Mutex<HashMap<Key, Seen>>>,
}

/// What this process has seen of a key.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Seen {
    /// When it will have caught up, in microseconds since the epoch.
    pub(crate) caught_up: i64,
    /// Counted here last, and not by all instances together.
    pub(crate) alone: bool,
}

impl Memory {
    pub(crate) fn new() -> Self {
        Self {
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
        }
    }

    /// Count one more for `key` at `now` (microseconds since the epoch); else how long to wait.
    pub(crate) fn take(&self, key: Key, burst: u32, every: Duration, now: i64) -> Result<(), Duration> {
        let every = micros(every);
        let ahead = ahead(burst, every);
        let mut shard = self.shard(key);
        let caught_up = shard.get(&key).map_or(now, |seen| seen.caught_up.max(now));
        let too_far = caught_up.saturating_sub(now).saturating_sub(ahead);
        if too_far > 0 {
            return Err(Duration::from_micros(too_far.unsigned_abs()));
        }
        if shard.len() >= SHARD_KEYS && !shard.contains_key(&key) {
            make_room(&mut shard, now);
        }
        let caught_up = caught_up.saturating_add(every);
        let alone = true;
        shard.insert(key, Seen { caught_up, alone });
        Ok(())
    }

    /// What this process has seen of `key`.
    pub(crate) fn seen(&self, key: Key) -> Seen {
        self.shard(key).get(&key).copied().unwrap_or_default()
    }

    /// What all instances together have counted for `key`.
    pub(crate) fn learn(&self, key: Key, caught_up: i64, now: i64) {
        let mut shard = self.shard(key);
        if shard.len() >= SHARD_KEYS && !shard.contains_key(&key) {
            make_room(&mut shard, now);
        }
        let alone = false;
        shard.insert(key, Seen { caught_up, alone });
    }

    /// Forget what was counted for `key`.
    pub(crate) fn forget(&self, key: Key) {
        self.shard(key).remove(&key);
    }

    fn shard(&self, key: Key) -> MutexGuard<'_, HashMap<Key, Seen>> {
        // A panic elsewhere cannot leave a map of numbers half-written in a way that matters here.
        self.shards[usize::from(key[0]) % SHARDS]
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// A rule's interval.
pub(super) fn micros(every: Duration) -> i64 {
    i64::try_from(every.as_micros()).unwrap_or(i64::MAX / 4)
}

/// How far a rule lets a key run ahead of the clock.
pub(super) fn ahead(burst: u32, every: i64) -> i64 {
    every.saturating_mul(i64::from(burst.max(1)) - 1)
}

/// Drop what has caught up; if that frees less than a tenth, also the half that is nearest to it, so that a
/// flood of new keys pushes out itself before it pushes out those that are being held back.
fn make_room(shard: &mut HashMap<Key, Seen>, now: i64) {
    shard.retain(|_, seen| seen.caught_up > now);
    if shard.len() > SHARD_KEYS - SHARD_KEYS / 10 {
        let mut times: Vec<i64> = shard.values().map(|seen| seen.caught_up).collect();
        let middle = times.len() / 2;
        let (_, &mut median, _) = times.select_nth_unstable(middle);
        shard.retain(|_, seen| seen.caught_up > median);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_burst_then_one_per_interval() {
        let memory = Memory::new();
        for _ in 0..3 {
            memory.take([1; 16], 3, SECOND, 0).unwrap();
        }
        assert_eq!(memory.take([1; 16], 3, SECOND, 0), Err(SECOND));
        assert_eq!(
            memory.take([1; 16], 3, SECOND, 400_000),
            Err(Duration::from_millis(600))
        );
        memory.take([1; 16], 3, SECOND, 1_000_000).unwrap();
        memory.take([1; 16], 3, SECOND, 1_000_000).unwrap_err();
        memory.take([2; 16], 3, SECOND, 1_000_000).unwrap();
    }

    #[test]
    fn a_refusal_costs_nothing() {
        let memory = Memory::new();
        memory.take([1; 16], 1, SECOND, 0).unwrap();
        for _ in 0..100 {
            memory.take([1; 16], 1, SECOND, 0).unwrap_err();
        }
        memory.take([1; 16], 1, SECOND, 1_000_000).unwrap();
    }

    #[test]
    fn a_flood_of_keys_stays_bounded_and_does_not_free_who_is_held_back() {
        let memory = Memory::new();
        let held = [0; 16];
        memory.take(held, 1, Duration::from_secs(3600), 0).unwrap();
        for n in 0..200_000_u32 {
            let mut key = [0; 16];
            key[4..8].copy_from_slice(&n.to_be_bytes());
            key[8] = 1;
            memory.take(key, 1, SECOND, i64::from(n)).unwrap();
        }
        assert!(memory.shard(held).len() <= SHARD_KEYS);
        memory
            .take(held, 1, Duration::from_secs(3600), 200_000)
            .unwrap_err();
    }
}
