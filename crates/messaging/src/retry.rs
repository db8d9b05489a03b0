//! When a message is tried again: growing delays, spread so that what failed together does not come back
//! together.

use std::time::Duration;

/// A ladder of delays with jitter, and how many tries there are.
///
/// ```
/// use std::time::Duration;
/// use gatepost_messaging::Retry;
///
/// let retry = Retry::ladder(&[Duration::from_secs(5), Duration::from_secs(120)]).jitter(0.0).max_attempts(4);
/// assert_eq!(retry.delay(1, 0.5), Duration::from_secs(5));
/// assert_eq!(retry.delay(2, 0.5), Duration::from_secs(120));
/// assert_eq!(retry.delay(3, 0.5), Duration::from_secs(120)); // the last rung stays
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Retry {
    delays: Vec<Duration>,
    jitter: f64,
    max_attempts: u32,
}

impl Retry {
    /// A ladder: after the first failed try the first delay, after the second the second, then the last
    /// one again and again. An empty one tries again at once.
    pub fn ladder(delays: &[Duration]) -> Self {
        Self {
            delays: delays.to_vec(),
            ..Self::default()
        }
    }

    /// The same with other rungs.
    #[must_use]
    pub fn with_delays(mut self, delays: &[Duration]) -> Self {
        self.delays = delays.to_vec();
        self
    }

    /// How far a delay may be off its rung, as a share of it: 0.2 (the default) is 20 % either way.
    /// Clamped to 0 to 1.
    #[must_use]
    pub fn jitter(mut self, share: f64) -> Self {
        self.jitter = if share.is_finite() {
            share.clamp(0.0, 1.0)
        } else {
            0.0
        };
        self
    }

    /// How many counted tries there are in all; after the last one a message becomes a dead letter.
    /// 12 by default, at least 1.
    #[must_use]
    pub fn max_attempts(mut self, attempts: u32) -> Self {
        self.max_attempts = attempts.max(1);
        self
    }

    /// How many counted tries there are.
    pub fn attempts(&self) -> u32 {
        self.max_attempts
    }

    /// The rungs.
    pub fn delays(&self) -> &[Duration] {
        &self.delays
    }

    /// How long to wait after try number `attempt` (1 is the first) failed. `random` is from 0 to 1.
    pub fn delay(&self, attempt: u32, random: f64) -> Duration {
        let rung = usize::try_from(attempt.max(1) - 1).unwrap_or(usize::MAX);
        let Some(base) = self.delays.get(rung).or(self.delays.last()) else {
            return Duration::ZERO;
        };
        base.mul_f64(1.0 + self.jitter * (random.clamp(0.0, 1.0) * 2.0 - 1.0))
    }
}

impl Default for Retry {
    /// 5 s, 30 s, 2 min, 10 min, 30 min, 2 h, 6 h, each 20 % either way, 12 tries: a mail server that is
    /// away over night is survived, and one that is away for a minute is hardly noticed.
    fn default() -> Self {
        let delays = [5, 30, 120, 600, 1800, 7200, 21600].map(Duration::from_secs);
        Self {
            delays: delays.to_vec(),
            jitter: 0.2,
            max_attempts: 12,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jitter_spreads_a_delay_evenly_about_its_rung() {
        let retry = Retry::ladder(&[Duration::from_secs(10)]);
        assert_eq!(retry.delay(1, 0.0), Duration::from_secs(8));
        assert_eq!(retry.delay(1, 0.5), Duration::from_secs(10));
        assert_eq!(retry.delay(1, 1.0), Duration::from_secs(12));
    }

    #[test]
    fn delays_grow_whatever_the_jitter() {
        let retry = Retry::default();
        let rungs = u32::try_from(retry.delays().len()).expect("a few");
        for attempt in 1..rungs {
            assert!(
                retry.delay(attempt, 0.999) < retry.delay(attempt + 1, 0.0),
                "after try {attempt}"
            );
        }
    }
}
