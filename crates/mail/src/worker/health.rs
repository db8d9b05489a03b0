//! How a worker is doing.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use gatepost_storage::Timestamp;

use crate::Transport;
use crate::transport::ServerState;

/// How a worker is doing; clones see the same.
#[derive(Debug, Clone)]
pub struct WorkerHealth(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    transport: Transport,
    counts: [AtomicU64; OUTCOMES.len()],
}

/// What [`WorkerHealth::count`] counts, in the order of its array.
const OUTCOMES: [&str; 9] = [
    "sent",
    "deferred",
    "failed",
    "unknown",
    "server_fault",
    "limited",
    "skipped",
    "duplicate",
    "possible_twin",
];

impl WorkerHealth {
    pub(super) fn new(transport: &Transport) -> Self {
        Self(Arc::new(Inner {
            transport: transport.clone(),
            counts: std::array::from_fn(|_| AtomicU64::new(0)),
        }))
    }

    /// Until when no letter is given to any mail server, because all are at fault; `None` if one is not.
    pub fn paused_until(&self) -> Option<Timestamp> {
        let servers = self.servers();
        let until: Option<Vec<i64>> = servers.iter().map(|server| server.paused_until).collect();
        until?.into_iter().min().map(Timestamp::from_micros)
    }

    /// What the mail server did last that led to a pause; empty if letters pass.
    pub fn why_paused(&self) -> String {
        if self.paused_until().is_none() {
            return String::new();
        }
        let mut servers = self.servers().into_iter();
        servers
            .find(|server| !server.why.is_empty())
            .map_or_else(String::new, |server| server.why)
    }

    /// How each mail server is doing, in the order in which they are tried.
    pub fn servers(&self) -> Vec<ServerState> {
        self.0.transport.servers()
    }

    /// How often starts ended so, since this worker began: `sent`, `deferred`, `failed`, `unknown`,
    /// `server_fault`, `limited`, `skipped`. Besides, `duplicate` counts messages that came again and were dropped, and
    /// `possible_twin` letters that were sent after an earlier start had passed the final dot with no answer.
    pub fn counts(&self) -> [(&'static str, u64); OUTCOMES.len()] {
        std::array::from_fn(|n| (OUTCOMES[n], self.0.counts[n].load(Ordering::Relaxed)))
    }

    pub(super) fn count(&self, outcome: &str) {
        if let Some(n) = OUTCOMES.iter().position(|known| *known == outcome) {
            self.0.counts[n].fetch_add(1, Ordering::Relaxed);
        }
    }
}
