//! From what a handler answered to what happens to the message.

use crate::{DeadReason, Outcome, QueueConfig, Random, Timestamp};

/// What happens to a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Done,
    Again {
        at: Timestamp,
        counted: bool,
        reason: String,
    },
    Dead {
        reason: DeadReason,
        detail: String,
        counted: bool,
    },
    /// It was never begun.
    Release,
}

/// What about a message decides its fate.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Facts {
    /// Counted tries before this one.
    pub(crate) attempts: u32,
    pub(crate) expires_at: Option<Timestamp>,
}

impl Facts {
    /// Whether this try is the last that counts.
    pub(crate) fn last_attempt(&self, config: &QueueConfig) -> bool {
        self.attempts + 1 >= config.retry.attempts()
    }
}

pub(crate) fn decide(
    outcome: &Outcome,
    facts: Facts,
    config: &QueueConfig,
    random: &Random,
    now: Timestamp,
) -> Verdict {
    let counted_try = facts.attempts + 1;
    match outcome {
        Outcome::Done => Verdict::Done,
        Outcome::Fail(reason) => Verdict::Dead {
            reason: DeadReason::Failed,
            detail: tidy(reason),
            counted: true,
        },
        Outcome::Retry(reason) | Outcome::RetryAfter(reason, _) if facts.last_attempt(config) => {
            Verdict::Dead {
                reason: DeadReason::Attempts,
                detail: tidy(reason),
                counted: true,
            }
        }
        Outcome::Retry(reason) => {
            let delay = config.retry.delay(counted_try, random.next());
            Verdict::Again {
                at: before_expiry(now + delay, facts, now),
                counted: true,
                reason: tidy(reason),
            }
        }
        Outcome::RetryAfter(reason, delay) => Verdict::Again {
            at: before_expiry(now + *delay, facts, now),
            counted: true,
            reason: tidy(reason),
        },
        Outcome::Later(reason, delay) => Verdict::Again {
            at: before_expiry(now + *delay, facts, now),
            counted: false,
            reason: tidy(reason),
        },
    }
}

/// A message that will have expired before its next try is looked at when it expires, so that it does not
/// lie about for hours.
fn before_expiry(at: Timestamp, facts: Facts, now: Timestamp) -> Timestamp {
    match facts.expires_at {
        Some(expires_at) if expires_at > now => at.min(expires_at),
        _ => at,
    }
}

/// A reason as a table keeps it: at most 1,000 characters, none of them NUL.
pub(crate) fn tidy(reason: &str) -> String {
    reason.chars().filter(|c| *c != '\0').take(1000).collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::Retry;

    const NOW: Timestamp = Timestamp::from_secs(1_000_000);

    fn config() -> QueueConfig {
        let ladder = Retry::ladder(&[Duration::from_secs(5), Duration::from_secs(60)]).max_attempts(3);
        QueueConfig::default().retry(ladder)
    }

    fn verdict(outcome: &Outcome, attempts: u32, expires_at: Option<Timestamp>) -> Verdict {
        decide(
            outcome,
            Facts { attempts, expires_at },
            &config(),
            &Random::from_fn(|| 0.5),
            NOW,
        )
    }

    #[test]
    fn the_last_failed_try_makes_a_dead_letter_and_a_pause_never_does() {
        let failed = Outcome::Retry("no route".into());
        let at = |secs| NOW + Duration::from_secs(secs);
        assert!(
            matches!(verdict(&failed, 0, None), Verdict::Again { at: t, counted: true, .. } if t == at(5))
        );
        assert!(
            matches!(verdict(&failed, 1, None), Verdict::Again { at: t, counted: true, .. } if t == at(60))
        );
        assert!(matches!(
            verdict(&failed, 2, None),
            Verdict::Dead {
                reason: DeadReason::Attempts,
                ..
            }
        ));
        let paused = Outcome::Later("closed".into(), Duration::from_secs(7));
        assert!(
            matches!(verdict(&paused, 99, None), Verdict::Again { at: t, counted: false, .. } if t == at(7))
        );
    }

    #[test]
    fn a_message_that_expires_first_is_looked_at_then() {
        let expires_at = NOW + Duration::from_secs(2);
        let verdict = verdict(&Outcome::Retry("busy".into()), 0, Some(expires_at));
        assert!(matches!(verdict, Verdict::Again { at, .. } if at == expires_at));
    }
}
