//! What can be set for a queue, and how long traces are kept.

use std::time::Duration;

use crate::Retry;

/// How one queue is handled.
#[derive(Clone, Debug, PartialEq)]
pub struct QueueConfig {
    pub(crate) retry: Retry,
    pub(crate) max_starts: u32,
    pub(crate) lease: Duration,
}

impl QueueConfig {
    /// Delays and number of tries.
    #[must_use]
    pub fn retry(mut self, retry: Retry) -> Self {
        self.retry = retry;
        self
    }

    /// The rungs of the ladder alone; jitter and number of tries stay.
    #[must_use]
    pub fn retries(mut self, delays: &[Duration]) -> Self {
        self.retry = self.retry.with_delays(delays);
        self
    }

    /// After so many starts in a row that ended with no outcome at all (the process died each time), a
    /// message becomes a dead letter (`crash_loop`). 5 by default, at least 1.
    #[must_use]
    pub fn max_starts(mut self, starts: u32) -> Self {
        self.max_starts = starts.max(1);
        self
    }

    /// How long a claimed message stays out of sight when its process has died: 12 s by default, at least
    /// 1 s. Living processes renew theirs, so a handler may take longer.
    #[must_use]
    pub fn lease(mut self, lease: Duration) -> Self {
        self.lease = lease.max(Duration::from_secs(1));
        self
    }
}

impl Default for QueueConfig {
    fn default() -> Self {
        Self {
            retry: Retry::default(),
            max_starts: 5,
            lease: Duration::from_secs(12),
        }
    }
}

/// How long traces are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// Ids of handled messages. 30 days by default: longer than any retry schedule, or a late copy is
    /// handled twice.
    pub handled: Duration,
    /// Dead letters. 30 days by default.
    pub dead: Duration,
}

impl Default for Retention {
    fn default() -> Self {
        let month = Duration::from_secs(30 * 86400);
        Self {
            handled: month,
            dead: month,
        }
    }
}
