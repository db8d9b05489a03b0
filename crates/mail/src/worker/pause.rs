//! When the mail server is at fault, letters wait for it instead of being used up on it.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use gatepost_storage::Timestamp;

use super::health::WorkerHealth;
use super::schedule::jittered;

/// The first pause, doubled with every fault after it up to the longest.
const FIRST: Duration = Duration::from_secs(2);
const LONGEST: Duration = Duration::from_mins(1);
/// While one letter tries whether the server is back, the others look again after this.
const PROBE: Duration = Duration::from_secs(2);
/// Refusals of `MAIL` in a row that are taken for the server's fault: one alone may be about a sender.
const MAIL_FAULTS: u32 = 3;
/// Refusals for policy (5.7.x) in a row that are taken for our own misconfiguration, not the readers'.
const POLICY_REFUSALS: u32 = 5;

/// The pause of one mail server.
#[derive(Debug)]
pub(super) struct Pause {
    state: Mutex<State>,
    health: WorkerHealth,
}

#[derive(Debug, Default)]
struct State {
    // Faults since the server last was good; 0 means that letters pass.
    step: u32,
    until: Timestamp,
    probing: bool,
    mail_faults: u32,
    policy_refusals: u32,
}

/// Leave to give a letter to the mail server. If it was a probe that ends with nothing noted (the
/// database failed, the letter had expired), the next letter may try.
#[derive(Debug)]
pub(super) struct Pass {
    pause: Arc<Pause>,
    probe: bool,
}

impl Drop for Pass {
    fn drop(&mut self) {
        if self.probe {
            self.pause.state().probing = false;
        }
    }
}

impl Pause {
    pub(super) fn new(health: WorkerHealth) -> Self {
        Self {
            state: Mutex::default(),
            health,
        }
    }

    /// Leave to send, or how long to wait.
    pub(super) fn enter(self: &Arc<Self>, now: Timestamp) -> Result<Pass, Duration> {
        let mut state = self.state();
        if state.step == 0 {
            return Ok(Pass {
                pause: Arc::clone(self),
                probe: false,
            });
        }
        if now < state.until {
            return Err(state.until.since(now) + Duration::from_millis(1));
        }
        if state.probing {
            return Err(PROBE);
        }
        state.probing = true;
        Ok(Pass {
            pause: Arc::clone(self),
            probe: true,
        })
    }

    /// The server did its work, whatever it said about the letter.
    pub(super) fn good(&self) {
        let mut state = self.state();
        *state = State {
            policy_refusals: state.policy_refusals,
            ..State::default()
        };
        drop(state);
        self.health.set_paused(None, "");
    }

    /// The server took a letter, so that policy refusals before it were about the readers.
    pub(super) fn took(&self) {
        self.state().policy_refusals = 0;
        self.good();
    }

    /// The server is at fault; until when letters wait. `hard` faults pause at once, the others
    /// (`MAIL` refused) only in a row.
    pub(super) fn fault(&self, now: Timestamp, hard: bool, why: &str) -> Timestamp {
        let mut state = self.state();
        if !hard {
            state.mail_faults += 1;
            if state.mail_faults < MAIL_FAULTS && state.step == 0 {
                return now + jittered(FIRST);
            }
        }
        // Letters that were on their way together meet the same fault; it counts once.
        if state.step == 0 || now >= state.until {
            state.step = (state.step + 1).min(16);
            let length = FIRST.saturating_mul(1 << (state.step - 1)).min(LONGEST);
            state.until = now + jittered(length);
        }
        let until = state.until;
        drop(state);
        self.health.set_paused(Some(until), why);
        until
    }

    /// Notes a refusal for policy; whether there were so many in a row that we are at fault.
    pub(super) fn policy_refusal(&self) -> bool {
        let mut state = self.state();
        state.policy_refusals = state.policy_refusals.saturating_add(1);
        state.policy_refusals >= POLICY_REFUSALS
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        // Every change is whole before the lock is given back.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(secs: i64) -> Timestamp {
        Timestamp::from_secs(secs)
    }

    fn pause() -> Arc<Pause> {
        Arc::new(Pause::new(WorkerHealth::default()))
    }

    #[test]
    fn grows_to_a_minute_and_lets_one_letter_try() {
        let pause = pause();
        assert!(pause.enter(at(0)).is_ok());
        let mut now = at(0);
        for _ in 0..10 {
            let until = pause.fault(now, true, "down");
            assert!(pause.enter(now).is_err());
            assert!(
                until.since(now) <= Duration::from_secs(72),
                "{:?}",
                until.since(now)
            );
            now = until;
            let probe = pause.enter(now).unwrap();
            assert!(pause.enter(now).is_err(), "one at a time");
            drop(probe);
        }
        assert!(pause.health.paused_until().is_some());
        pause.good();
        assert!(pause.enter(now).is_ok() && pause.health.paused_until().is_none());
    }

    #[test]
    fn letters_on_their_way_together_count_one_fault() {
        let pause = pause();
        let until = pause.fault(at(0), true, "down");
        for _ in 0..20 {
            assert_eq!(pause.fault(at(0), true, "down"), until);
        }
    }

    #[test]
    fn one_refused_sender_pauses_nobody_else() {
        let pause = pause();
        pause.fault(at(0), false, "553");
        assert!(pause.enter(at(0)).is_ok());
        pause.good();
        for _ in 0..3 {
            pause.fault(at(0), false, "553");
        }
        assert!(pause.enter(at(0)).is_err());
    }

    #[test]
    fn policy_refusals_in_a_row_are_about_us() {
        let pause = pause();
        let refused: Vec<bool> = (0..5).map(|_| pause.policy_refusal()).collect();
        assert_eq!(refused, [false, false, false, false, true]);
        pause.took();
        assert!(!pause.policy_refusal());
    }
}
