//! When a mail server is at fault, letters wait for it instead of being used up on it.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::jitter::jittered;

/// Faults in a row that open the breaker. One alone is a connection that had its day.
const FAULTS: u32 = 5;
/// The first pause, doubled with every failed probe up to the longest.
const FIRST: Duration = Duration::from_secs(2);
const LONGEST: Duration = Duration::from_mins(1);
/// While one letter tries whether the server is back, the others look again after this.
const PROBE: Duration = Duration::from_millis(250);
/// Refusals for policy (5.7.x) in a row, or more than half of at least so many letters, that are taken for
/// our own misconfiguration and not the readers'.
const POLICY_IN_A_ROW: u32 = 5;
const POLICY_WINDOW: usize = 20;

/// Whether letters pass to one mail server. Times are microseconds of whatever clock the caller has.
#[derive(Debug, Default)]
pub(super) struct Breaker(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    // Pauses since the server last was good; 0 means that letters pass.
    step: u32,
    until: i64,
    probing: bool,
    faults: u32,
    policy_in_a_row: u32,
    // Of the last letters, which were refused for policy.
    policy: VecDeque<bool>,
    why: String,
}

/// Leave to talk to the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Enter {
    /// Letters pass.
    Go,
    /// One letter tries whether the server is back.
    Probe,
    /// Not before this is over.
    Wait(Duration),
}

impl Breaker {
    pub(super) fn enter(&self, now: i64) -> Enter {
        let mut state = self.state();
        if state.step == 0 {
            return Enter::Go;
        }
        if now < state.until {
            return Enter::Wait(micros(state.until - now) + Duration::from_millis(1));
        }
        if state.probing {
            return Enter::Wait(PROBE);
        }
        state.probing = true;
        Enter::Probe
    }

    /// Whether letters wait, until when, and why.
    pub(super) fn paused(&self) -> Option<(i64, String)> {
        let state = self.state();
        (state.step > 0).then(|| (state.until, state.why.clone()))
    }

    pub(super) fn is_open(&self) -> bool {
        self.state().step > 0
    }

    /// The letter that was to try came to no result; the next may try.
    pub(super) fn release_probe(&self) {
        self.state().probing = false;
    }

    /// The server did its work, whatever it said about the letter.
    pub(super) fn good(&self) {
        let mut state = self.state();
        state.step = 0;
        state.faults = 0;
        state.probing = false;
        state.why.clear();
    }

    /// The server took a letter.
    pub(super) fn took(&self) {
        let mut state = self.state();
        state.policy_in_a_row = 0;
        note_policy(&mut state.policy, false);
        drop(state);
        self.good();
    }

    /// The server is at fault.
    pub(super) fn fault(&self, now: i64, why: &str) {
        let mut state = self.state();
        state.faults = state.faults.saturating_add(1);
        if state.step > 0 || state.faults >= FAULTS {
            open(&mut state, now, why);
        }
    }

    /// The server refused a letter for policy; whether so many were that we are at fault, and it is paused.
    pub(super) fn policy_refusal(&self, now: i64, why: &str) -> bool {
        let mut state = self.state();
        state.policy_in_a_row = state.policy_in_a_row.saturating_add(1);
        note_policy(&mut state.policy, true);
        let refused = state.policy.iter().filter(|policy| **policy).count();
        let most = state.policy.len() >= POLICY_WINDOW && refused * 2 > state.policy.len();
        let burst = most || state.policy_in_a_row >= POLICY_IN_A_ROW;
        if burst {
            open(&mut state, now, why);
        }
        burst
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Every change is whole before the lock is given back.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Letters that were on their way together meet the same fault; it counts once.
fn open(state: &mut State, now: i64, why: &str) {
    why.clone_into(&mut state.why);
    if state.step == 0 || now >= state.until {
        state.step = (state.step + 1).min(16);
        let length = jittered(FIRST.saturating_mul(1 << (state.step - 1)).min(LONGEST));
        state.until = now.saturating_add(i64::try_from(length.as_micros()).unwrap_or(i64::MAX));
    }
}

fn note_policy(window: &mut VecDeque<bool>, policy: bool) {
    if window.len() == POLICY_WINDOW * 2 {
        window.pop_front();
    }
    window.push_back(policy);
}

fn micros(span: i64) -> Duration {
    Duration::from_micros(u64::try_from(span).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i64 = 1_000_000;

    fn down() -> Breaker {
        let breaker = Breaker::default();
        for _ in 0..FAULTS {
            assert_eq!(breaker.enter(0), Enter::Go);
            breaker.fault(0, "down");
        }
        breaker
    }

    #[test]
    fn opens_after_faults_in_a_row_and_lets_one_letter_try() {
        let breaker = down();
        let mut now = 0;
        for _ in 0..10 {
            let (until, why) = breaker.paused().unwrap();
            assert!(why == "down" && until > now && until - now <= 72 * SECOND);
            assert!(matches!(breaker.enter(now), Enter::Wait(_)));
            now = until;
            assert_eq!(breaker.enter(now), Enter::Probe);
            assert_eq!(breaker.enter(now), Enter::Wait(PROBE), "one at a time");
            breaker.fault(now, "down");
            breaker.release_probe();
        }
        let (until, _) = breaker.paused().unwrap();
        assert_eq!(breaker.enter(until), Enter::Probe);
        breaker.good();
        assert_eq!(
            (breaker.enter(until), breaker.paused()),
            (Enter::Go, None),
            "full speed at once"
        );
    }

    #[test]
    fn letters_on_their_way_together_count_one_pause() {
        let breaker = down();
        let until = breaker.paused().unwrap().0;
        for _ in 0..20 {
            breaker.fault(SECOND, "down");
        }
        assert_eq!(breaker.paused().unwrap().0, until);
    }

    #[test]
    fn a_good_letter_between_faults_starts_the_count_anew() {
        let breaker = Breaker::default();
        for _ in 0..20 {
            for _ in 1..FAULTS {
                breaker.fault(0, "one bad connection");
            }
            breaker.good();
        }
        assert!(!breaker.is_open());
    }

    #[test]
    fn policy_refusals_of_everybody_are_ours_and_of_some_are_theirs() {
        let breaker = Breaker::default();
        assert_eq!((0..5).filter(|_| breaker.policy_refusal(0, "5.7.1")).count(), 1);
        assert!(breaker.is_open());

        let breaker = Breaker::default();
        for _ in 0..50 {
            assert!(!breaker.policy_refusal(0, "5.7.1"));
            breaker.took();
            breaker.took();
        }
        let breaker = Breaker::default();
        let mut opened = false;
        for _ in 0..10 {
            for _ in 0..4 {
                opened |= breaker.policy_refusal(0, "5.7.26");
            }
            if !opened {
                breaker.took();
            }
        }
        assert!(opened, "four of five");
    }
}
