//! How many letters go to one recipient domain at once and a second, so that a big receiver does not take
//! us for a flood, and one slow receiver does not take all connections.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use uuid::Uuid;

/// Domains and reservations that are remembered; beyond, letters come back without one.
const REMEMBERED: usize = 10_000;
/// Longest that a letter is told to wait.
const LONGEST: i64 = 300_000_000;
/// What a dialogue is taken for until one was seen, in microseconds.
const USUAL: i64 = 250_000;

/// The limits, and who has them. Times are microseconds of the caller's clock.
#[derive(Debug)]
pub(super) struct Domains {
    connections: usize,
    // Microseconds between letters; 0 for no limit.
    gap: i64,
    known: Mutex<HashMap<String, Domain>>,
}

#[derive(Debug, Default)]
struct Domain {
    running: usize,
    // When the next letter without a reservation may go.
    next: i64,
    // How long a dialogue takes, smoothed.
    takes: i64,
    reserved: HashMap<Uuid, i64>,
}

/// Leave to send to one domain, until it is dropped.
#[derive(Debug)]
pub(crate) struct DomainPass {
    domains: Arc<Domains>,
    domain: String,
    began: tokio::time::Instant,
}

impl Domains {
    /// 0 for no limit.
    pub(super) fn new(connections: usize, letters_a_second: u32) -> Self {
        Self {
            connections,
            gap: 1_000_000_i64
                .checked_div(i64::from(letters_a_second))
                .unwrap_or(0),
            known: Mutex::default(),
        }
    }

    /// Leave to send, or how long to wait. Whoever comes back after that time finds its place kept.
    pub(super) fn enter(
        self: &Arc<Self>,
        id: Uuid,
        domain: &str,
        now: i64,
    ) -> Result<Option<DomainPass>, Duration> {
        if self.connections == 0 && self.gap == 0 {
            return Ok(None);
        }
        let mut domains = self.known();
        if domains.len() >= REMEMBERED && !domains.contains_key(domain) {
            domains.retain(|_, d| d.running > 0 || d.next > now || d.reserved.values().any(|at| *at > now));
        }
        let state = domains.entry(domain.to_owned()).or_default();
        let reserved = state.reserved.get(&id).copied();
        if let Some(at) = reserved.filter(|at| *at > now) {
            return Err(span(at - now));
        }
        state.reserved.remove(&id);
        let full = self.connections > 0 && state.running >= self.connections;
        let due = reserved.is_some() || state.next <= now;
        if due && !full {
            if reserved.is_none() {
                state.next = state.next.max(now) + self.gap;
            }
            state.running += 1;
            return Ok(Some(DomainPass {
                domains: Arc::clone(self),
                domain: domain.to_owned(),
                began: tokio::time::Instant::now(),
            }));
        }
        // Those who wait for a connection come one after the other, as fast as dialogues end.
        let turn = if full {
            let takes = if state.takes == 0 { USUAL } else { state.takes };
            takes / i64::try_from(self.connections).unwrap_or(1)
        } else {
            0
        };
        let gap = self.gap.max(turn).max(1_000);
        let at = state.next.max(now + if full { gap } else { 0 });
        let at = at.min(now + LONGEST);
        state.next = at + gap;
        if state.reserved.len() >= REMEMBERED {
            state.reserved.retain(|_, at| *at > now);
        }
        if state.reserved.len() < REMEMBERED {
            state.reserved.insert(id, at);
        }
        Err(span(at - now).max(Duration::from_millis(1)))
    }

    fn known(&self) -> MutexGuard<'_, HashMap<String, Domain>> {
        // Every change is whole before the lock is given back.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for DomainPass {
    fn drop(&mut self) {
        let took = i64::try_from(self.began.elapsed().as_micros()).unwrap_or(USUAL);
        if let Some(state) = self.domains.known().get_mut(&self.domain) {
            state.running = state.running.saturating_sub(1);
            let before = if state.takes == 0 { took } else { state.takes };
            state.takes = (before * 7 + took) / 8;
        }
    }
}

fn span(micros: i64) -> Duration {
    Duration::from_micros(u64::try_from(micros).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(n: u128) -> Uuid {
        Uuid::from_u128(n)
    }

    #[tokio::test]
    async fn everybody_has_a_place_of_their_own_in_the_row() {
        let domains = Arc::new(Domains::new(0, 10));
        let mut waits: Vec<i64> = Vec::new();
        for n in 0..50 {
            match domains.enter(id(n), "big.example", 0) {
                Ok(_) => waits.push(0),
                Err(wait) => waits.push(i64::try_from(wait.as_micros()).unwrap()),
            }
        }
        let expected: Vec<i64> = (0..50).map(|n| n * 100_000).collect();
        assert_eq!(waits, expected);
        assert!(
            domains.enter(id(99), "small.example", 0).is_ok(),
            "others are not held up"
        );
        for (n, wait) in waits.iter().enumerate().skip(1) {
            assert!(domains.enter(id(n as u128), "big.example", *wait - 1).is_err());
            assert!(domains.enter(id(n as u128), "big.example", *wait).is_ok());
        }
    }

    #[tokio::test]
    async fn so_many_at_once_and_no_more() {
        let domains = Arc::new(Domains::new(2, 0));
        let first = domains.enter(id(1), "a.example", 0).unwrap();
        let second = domains.enter(id(2), "a.example", 0).unwrap();
        let wait = domains.enter(id(3), "a.example", 0).unwrap_err();
        let after = i64::try_from(wait.as_micros()).unwrap();
        assert!(domains.enter(id(3), "a.example", after).is_err(), "still full");
        drop((first, second));
        assert!(domains.enter(id(3), "a.example", LONGEST).is_ok());
        assert!(
            Arc::new(Domains::new(0, 0))
                .enter(id(1), "a", 0)
                .unwrap()
                .is_none()
        );
    }
}
