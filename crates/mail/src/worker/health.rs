//! How a worker is doing.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use gatepost_storage::Timestamp;

/// How a worker is doing; clones see the same.
#[derive(Debug, Clone, Default)]
pub struct WorkerHealth(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    // 0: not paused.
    paused_until: AtomicI64,
    why: Mutex<String>,
    counts: [AtomicU64; OUTCOMES.len()],
}

/// What [`WorkerHealth::count`] counts, in the order of its array.
const OUTCOMES: [&str; 8] = [
    "sent",
    "deferred",
    "failed",
    "unknown",
    "server_fault",
    "skipped",
    "duplicate",
    "possible_twin",
];

impl WorkerHealth {
    /// Until when no letter is given to the mail server, because it is at fault; `None` if it is not.
    pub fn paused_until(&self) -> Option<Timestamp> {
        match self.0.paused_until.load(Ordering::Acquire) {
            0 => None,
            micros => Some(Timestamp::from_micros(micros)),
        }
    }

    /// What the mail server did last that led to a pause; empty if it is not paused.
    pub fn why_paused(&self) -> String {
        if self.paused_until().is_none() {
            return String::new();
        }
        self.0.why.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How often starts ended so, since this worker began: `sent`, `deferred`, `failed`, `unknown`,
    /// `server_fault`, `skipped`. Besides, `duplicate` counts messages that came again and were dropped, and
    /// `possible_twin` letters that were sent after an earlier start had passed the final dot with no answer.
    pub fn counts(&self) -> [(&'static str, u64); OUTCOMES.len()] {
        std::array::from_fn(|n| (OUTCOMES[n], self.0.counts[n].load(Ordering::Relaxed)))
    }

    pub(super) fn count(&self, outcome: &str) {
        if let Some(n) = OUTCOMES.iter().position(|known| *known == outcome) {
            self.0.counts[n].fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(super) fn set_paused(&self, until: Option<Timestamp>, why: &str) {
        why.clone_into(&mut self.0.why.lock().unwrap_or_else(PoisonError::into_inner));
        self.0.paused_until.store(
            until.map_or(0, |until| until.as_micros().max(1)),
            Ordering::Release,
        );
    }
}
