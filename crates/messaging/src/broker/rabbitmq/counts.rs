//! How many messages of each queue this process has in hand. AMQP does not tell of other processes.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Counts by queue.
#[derive(Clone, Debug, Default)]
pub(super) struct Counts(Arc<Mutex<HashMap<Arc<str>, u64>>>);

impl Counts {
    fn lock(&self) -> MutexGuard<'_, HashMap<Arc<str>, u64>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One more, for as long as what is returned lives.
    pub(super) fn one(&self, queue: &Arc<str>) -> Counted {
        *self.lock().entry(Arc::clone(queue)).or_default() += 1;
        Counted {
            counts: self.clone(),
            queue: Arc::clone(queue),
        }
    }

    /// The queues of which there were any.
    pub(super) fn queues(&self) -> Vec<String> {
        self.lock()
            .keys()
            .map(|queue| queue.as_ref().to_owned())
            .collect()
    }

    /// How many.
    pub(super) fn of(&self, queue: &str) -> u64 {
        self.lock().get(queue).copied().unwrap_or(0)
    }
}

/// One message in hand.
pub(super) struct Counted {
    counts: Counts,
    queue: Arc<str>,
}

impl Drop for Counted {
    fn drop(&mut self) {
        if let Some(count) = self.counts.lock().get_mut(&self.queue) {
            *count = count.saturating_sub(1);
        }
    }
}
