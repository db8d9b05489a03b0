//! What can be set for a queue, and how long traces are kept.

use std::time::Duration;

use crate::Retry;

/// How one queue is handled.
#[derive(Clone, Debug, PartialEq)]
pub struct QueueConfig {
    pub(crate) retry: Retry,
    pub(crate) max_starts: u32,
    pub(crate) lease: Duration,
    pub(crate) kind: QueueKind,
    pub(crate) dead_letters: bool,
}

/// What RabbitMQ makes of a queue. The embedded broker has one kind, the rows of a database.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum QueueKind {
    /// Replicated, on disk.
    #[default]
    Quorum,
    /// One copy, on disk.
    Classic,
    /// Durable and without any argument: whatever the virtual host makes of that.
    Plain,
}

impl QueueConfig {
    /// On RabbitMQ: a classic queue instead of a quorum queue. Cheaper, on one machine only.
    #[must_use]
    pub fn classic(mut self) -> Self {
        self.kind = QueueKind::Classic;
        self
    }

    /// On RabbitMQ: durable, and with no argument of ours at all, for a queue that other programs declare as
    /// well: with any argument their plain declaration would be refused (406). Its type is then the virtual
    /// host's default, and its dead letters and limits are a policy's. What stands beside it (retries, dead
    /// letters) is ours all the same.
    #[must_use]
    pub fn plain(mut self) -> Self {
        self.kind = QueueKind::Plain;
        self.dead_letters = false;
        self
    }

    /// On RabbitMQ: what the broker itself gives up (a limit of deliveries, of length or of age) goes to
    /// `<queue>.dead` as well. Quorum queues have it anyway: without it RabbitMQ 4 drops a message after 20
    /// deliveries. What a consumer gives up goes there in any case.
    #[must_use]
    pub fn dead_letters(mut self) -> Self {
        self.dead_letters = true;
        self
    }

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
    /// 1 s. Living processes renew theirs, so a handler may take longer. RabbitMQ has no leases: it delivers
    /// again when the connection is gone.
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
            kind: QueueKind::default(),
            dead_letters: false,
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
