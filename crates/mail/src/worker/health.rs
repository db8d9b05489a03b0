//! How a worker is doing.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

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
    letters: Mutex<BTreeMap<(String, &'static str), u64>>,
    waits: [AtomicU64; WAITS.len() + 1],
    waited: AtomicU64,
}

/// Bounds of [`WorkerHealth::waits`], in seconds.
const WAITS: [f64; 14] = [
    0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 1_800.0, 7_200.0, 86_400.0,
];
/// Pairs of template and outcome that are told apart at most: an operator may name templates as he likes.
const MOST_PAIRS: usize = 1_000;

/// How long letters took from being accepted to being sent.
#[derive(Debug, Clone, PartialEq)]
pub struct Waits {
    /// Upper bound in seconds, and how many letters took no longer; the last bound is infinite.
    pub buckets: Vec<(f64, u64)>,
    /// All their seconds together.
    pub sum: f64,
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
            letters: Mutex::default(),
            waits: std::array::from_fn(|_| AtomicU64::new(0)),
            waited: AtomicU64::new(0),
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

    /// How often starts of letters of a template ended so, since this worker began: template, outcome (as of
    /// [`counts`](Self::counts), and `handed_over`; for what was not started its state, such as `expired` or
    /// `suppressed`), times. Of what can't be read the template is `-`.
    pub fn letters(&self) -> Vec<(String, &'static str, u64)> {
        let letters = self.0.letters.lock().unwrap_or_else(PoisonError::into_inner);
        let lines = letters.iter();
        lines
            .map(|((template, outcome), times)| (template.clone(), *outcome, *times))
            .collect()
    }

    /// How long the letters that this worker sent took from being accepted to the mail server's 250.
    pub fn waits(&self) -> Waits {
        let mut below = 0;
        let bounds = WAITS.iter().copied().chain([f64::INFINITY]);
        let buckets = bounds.zip(&self.0.waits).map(|(bound, cell)| {
            below += cell.load(Ordering::Relaxed);
            (bound, below)
        });
        Waits {
            buckets: buckets.collect(),
            sum: Duration::from_micros(self.0.waited.load(Ordering::Relaxed)).as_secs_f64(),
        }
    }

    pub(super) fn waited(&self, time: Duration) {
        let seconds = time.as_secs_f64();
        let nth = WAITS.iter().position(|bound| seconds <= *bound);
        self.0.waits[nth.unwrap_or(WAITS.len())].fetch_add(1, Ordering::Relaxed);
        let micros = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        self.0.waited.fetch_add(micros, Ordering::Relaxed);
    }

    /// Counts a letter's outcome under its template.
    pub(super) fn letter(&self, template: &str, outcome: &str) {
        const STATES: [&str; 5] = ["handed_over", "expired", "suppressed", "superseded", "cancelled"];
        let Some(outcome) = OUTCOMES
            .iter()
            .chain(&STATES)
            .copied()
            .find(|known| *known == outcome)
        else {
            return;
        };
        let mut letters = self.0.letters.lock().unwrap_or_else(PoisonError::into_inner);
        let mut key = (template.to_owned(), outcome);
        if letters.len() >= MOST_PAIRS && !letters.contains_key(&key) {
            "other".clone_into(&mut key.0);
        }
        *letters.entry(key).or_insert(0) += 1;
    }

    pub(super) fn count(&self, outcome: &str) {
        if let Some(n) = OUTCOMES.iter().position(|known| *known == outcome) {
            self.0.counts[n].fetch_add(1, Ordering::Relaxed);
        }
    }
}
