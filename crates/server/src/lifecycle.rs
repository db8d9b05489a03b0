//! Where the process is in its life, for `/readyz` and for shutting down.

use std::sync::atomic::{AtomicBool, Ordering};

use gatepost_storage::Timestamp;

/// What the process knows of itself.
#[derive(Debug, Default)]
pub struct Lifecycle {
    stopping: AtomicBool,
    migrated: AtomicBool,
}

impl Lifecycle {
    /// It was told to stop: it is no longer ready, and goes on serving until it has drained.
    pub fn begin_stopping(&self) {
        self.stopping.store(true, Ordering::Release);
    }

    /// Whether it was told to stop.
    pub fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Acquire)
    }

    /// The database has our schema.
    pub fn set_migrated(&self) {
        self.migrated.store(true, Ordering::Release);
    }

    /// Whether the database has our schema.
    pub fn is_migrated(&self) -> bool {
        self.migrated.load(Ordering::Acquire)
    }

    /// What is away that the process can do without, at `now`.
    pub fn degraded(&self, _now: Timestamp) -> Vec<&'static str> {
        Vec::new()
    }
}
