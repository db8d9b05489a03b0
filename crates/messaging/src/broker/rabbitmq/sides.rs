//! Which queues are known to be there and which are not, so that the broker is not asked for each message.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::declare;
use super::link::Link;
use super::shapes::Shape;
use crate::Error;

/// How long a queue that was not there is taken for missing. Other processes may make it.
const MISSING: Duration = Duration::from_secs(60);

#[derive(Clone, Copy, Debug)]
enum Known {
    There,
    MissingSince(Instant),
}

/// What is known of queues by their names.
#[derive(Clone, Debug, Default)]
pub(super) struct Sides(Arc<Mutex<HashMap<String, Known>>>);

impl Sides {
    fn lock(&self) -> MutexGuard<'_, HashMap<String, Known>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes the queue unless it is there. One that stands otherwise is used as it is.
    pub(super) async fn ensure(&self, link: &Link, shape: &Shape) -> Result<(), Error> {
        if matches!(self.lock().get(&shape.name), Some(Known::There)) {
            return Ok(());
        }
        for difference in declare::ensure(link, shape).await? {
            tracing::warn!("{difference}; it is used as it is");
        }
        self.lock().insert(shape.name.clone(), Known::There);
        Ok(())
    }

    /// The same for one that was there and may have been deleted, or lost by the broker.
    pub(super) async fn ensure_still(&self, link: &Link, shape: &Shape) -> Result<(), Error> {
        if matches!(self.lock().get(&shape.name), Some(Known::There)) {
            if declare::stands(link, &shape.name).await? {
                // Compared when it was first seen: a difference is news once.
                return Ok(());
            }
            tracing::error!(
                queue = shape.name,
                "the queue was deleted, or lost by the broker, and is declared again: what other programs had put \
                 there is not recoverable; what waits in an outbox of ours is published again"
            );
        }
        self.forget(&shape.name);
        self.ensure(link, shape).await
    }

    /// It is not there any more.
    pub(super) fn forget(&self, queue: &str) {
        self.lock().remove(queue);
    }

    /// It was found missing.
    pub(super) fn missing(&self, queue: &str) {
        let known = Known::MissingSince(Instant::now());
        self.lock().insert(queue.to_owned(), known);
    }

    /// Whether it was found missing not long ago.
    pub(super) fn is_missing(&self, queue: &str) -> bool {
        matches!(self.lock().get(queue), Some(Known::MissingSince(at)) if at.elapsed() < MISSING)
    }
}
