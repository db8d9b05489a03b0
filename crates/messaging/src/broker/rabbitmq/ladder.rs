//! Which rung of the ladder a delay takes.
//!
//! Each rung is a queue with one fixed time to live. (A time to live per message would not do: RabbitMQ
//! looks only at the head of a queue, so that a short delay would wait behind a long one.) A delay that
//! is no rung climbs down several, longest first; the hour it waits for travels in a header.

use std::time::Duration;

use crate::Timestamp;

/// Rungs that every queue may use besides its own, for delays that a handler chooses. Their queues are
/// made when first needed.
const COMMON: [Duration; 8] = [
    Duration::from_secs(1),
    Duration::from_secs(5),
    Duration::from_secs(30),
    Duration::from_secs(120),
    Duration::from_secs(600),
    Duration::from_secs(1800),
    Duration::from_secs(7200),
    Duration::from_secs(21600),
];
/// The one of them that is made with its queue: a pause of a second is what every fault asks for first, and a queue that is
/// made in the moment before RabbitMQ 3.10 is killed may be lost with what is in it.
pub(super) const FIRST: Duration = COMMON[0];
/// What a clock may be off before a message that came down the ladder is sent up again.
pub(super) const EARLY: Duration = Duration::from_millis(500);
/// Longest time to live that RabbitMQ takes is 2^32 ms; no rung needs to be near it.
const LONGEST: Duration = Duration::from_secs(30 * 86400);

/// The rungs of a queue, shortest first.
#[derive(Clone, Debug)]
pub(super) struct Ladder(Vec<Duration>);

/// One step of a delay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Step {
    /// The rung; `None`: the delay is none, straight back to the queue's end.
    pub(super) rung: Option<Duration>,
    /// When it is to be handled.
    pub(super) not_before: Timestamp,
}

impl Ladder {
    /// With a queue's own rungs.
    pub(super) fn new(own: &[Duration]) -> Self {
        let own = own
            .iter()
            .copied()
            .filter(|delay| *delay >= Duration::from_millis(1) && *delay <= LONGEST)
            .map(|delay| Duration::from_millis(u64::try_from(delay.as_millis()).unwrap_or(u64::MAX)));
        let mut rungs: Vec<_> = own.chain(COMMON).collect();
        rungs.sort_unstable();
        rungs.dedup();
        Self(rungs)
    }

    /// Its rungs.
    pub(super) fn rungs(&self) -> &[Duration] {
        &self.0
    }

    /// The next step of what is to be handled at `at`.
    pub(super) fn step(&self, at: Timestamp, now: Timestamp) -> Step {
        if at <= now {
            return Step {
                rung: None,
                not_before: at,
            };
        }
        let delay = at.since(now);
        // A delay with jitter takes the rung that it was made from, whichever side it fell.
        let rung = self
            .0
            .iter()
            .rev()
            .find(|rung| **rung <= delay.mul_f64(1.25))
            .or(self.0.first())
            .copied();
        let not_before = match rung {
            Some(rung) if delay > rung && delay <= rung.mul_f64(1.25) => now + rung,
            _ => at,
        };
        Step { rung, not_before }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_micros(1_000_000_000);

    fn climb(ladder: &Ladder, delay: Duration) -> (Vec<Duration>, Duration) {
        let (mut now, mut at, mut steps) = (NOW, NOW + delay, Vec::new());
        loop {
            let step = ladder.step(at, now);
            let Some(rung) = step.rung else { break };
            at = step.not_before;
            steps.push(rung);
            now = now + rung;
            assert!(steps.len() < 40, "{delay:?} comes to no end");
        }
        (steps, now.since(NOW))
    }

    #[test]
    fn a_delay_with_jitter_takes_its_rung_once() {
        let secs = Duration::from_secs;
        let ladder = Ladder::new(&[secs(5), secs(60)]);
        for delay in [4.0, 4.4, 5.0, 5.9, 6.0] {
            assert_eq!(
                climb(&ladder, Duration::from_secs_f64(delay)).0,
                [secs(5)],
                "{delay}"
            );
        }
        for delay in [48.0, 60.0, 72.0] {
            assert_eq!(
                climb(&ladder, Duration::from_secs_f64(delay)).0,
                [secs(60)],
                "{delay}"
            );
        }
    }

    #[test]
    fn any_delay_is_waited_for_in_few_steps_and_not_much_longer() {
        let ladder = Ladder::new(&[]);
        for secs in [1, 2, 7, 17, 45, 300, 3600, 5000, 50_000, 86400] {
            let (steps, waited) = climb(&ladder, Duration::from_secs(secs));
            let (least, most) = (secs * 3 / 4, secs * 5 / 4 + 1);
            assert!(
                (least..=most).contains(&waited.as_secs()),
                "{secs} s became {waited:?} by {steps:?}"
            );
            assert!(steps.len() <= 20, "{secs} s took {} steps", steps.len());
        }
    }

    #[test]
    fn what_is_due_goes_straight_back() {
        assert_eq!(Ladder::new(&[]).step(NOW, NOW).rung, None);
    }
}
