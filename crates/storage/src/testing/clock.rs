//! A clock that stands still.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::sync::watch;

use crate::clock::TimeSource;
use crate::{Clock, Timestamp};

/// A clock that moves only when told to.
///
/// Whoever sleeps on it wakes when it is moved past the hour they wait for.
#[derive(Clone, Debug)]
pub struct ManualClock(Arc<watch::Sender<Timestamp>>);

impl ManualClock {
    /// Stands at `at`.
    pub fn at(at: Timestamp) -> Self {
        Self(Arc::new(watch::Sender::new(at)))
    }

    /// Moves forward.
    pub fn advance(&self, by: Duration) {
        self.0.send_modify(|now| *now = *now + by);
    }

    /// Jumps to `to`, also backwards.
    pub fn set(&self, to: Timestamp) {
        self.0.send_replace(to);
    }

    /// What it shows.
    pub fn now(&self) -> Timestamp {
        *self.0.borrow()
    }

    /// The [`Clock`] to hand to a store.
    pub fn clock(&self) -> Clock {
        Clock::from_source(Arc::new(self.clone()))
    }
}

impl TimeSource for ManualClock {
    fn now(&self) -> Timestamp {
        ManualClock::now(self)
    }

    fn sleep_until(&self, until: Timestamp) -> BoxFuture<'static, ()> {
        let mut changes = self.0.subscribe();
        Box::pin(async move {
            if changes.wait_for(|now| *now >= until).await.is_err() {
                // The clock is gone, so this hour never comes.
                std::future::pending::<()>().await;
            }
        })
    }

    fn follows_database(&self) -> bool {
        false
    }
}
