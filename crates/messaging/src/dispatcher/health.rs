//! How a dispatcher is doing.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// How a dispatcher is doing; clones see the same.
#[derive(Clone, Debug, Default)]
pub struct DispatcherHealth(Arc<[AtomicU64; COUNTED.len()]>);

/// What is counted, in the order of the array.
const COUNTED: [&str; 5] = ["confirmed", "returned", "failed", "dead", "taken_back"];

/// What became of a message, or of many.
#[derive(Clone, Copy, Debug)]
pub(super) enum Counted {
    Confirmed,
    Returned,
    Failed,
    Dead,
    TakenBack,
}

impl DispatcherHealth {
    /// Since it began: messages `confirmed` by the broker, `returned` because their queue was not there, `failed`
    /// otherwise (all of these are tried again), `dead` since no broker would take them, and `taken_back` after
    /// the broker turned out not to have them any more.
    pub fn counts(&self) -> [(&'static str, u64); COUNTED.len()] {
        std::array::from_fn(|n| (COUNTED[n], self.0[n].load(Ordering::Relaxed)))
    }

    pub(super) fn add(&self, what: Counted, times: u64) {
        self.0[what as usize].fetch_add(times, Ordering::Relaxed);
    }
}
