//! What the store has done so far, counted.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Counts since the store was made.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stats {
    /// Statements run, those of joined transactions included.
    pub statements: u64,
    /// Rows inserted, updated or deleted.
    pub rows_written: u64,
    /// Transactions of [`Store::run_tx`](crate::Store::run_tx) that were kept, and rolled back, by name.
    pub transactions: BTreeMap<&'static str, TxStats>,
}

/// Counts of the transactions of one name.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TxStats {
    /// Committed.
    pub committed: u64,
    /// Rolled back because the closure or the commit failed.
    pub rolled_back: u64,
    /// Run again because others were in the way.
    pub retried: u64,
    /// Time from the call to the answer, added up.
    pub total: Duration,
}

#[derive(Debug, Default)]
pub(crate) struct Counters {
    statements: AtomicU64,
    rows: AtomicU64,
    transactions: Mutex<BTreeMap<&'static str, TxStats>>,
}

impl Counters {
    pub(crate) fn statement(&self) {
        self.statements.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn rows(&self, rows: u64) {
        self.rows.fetch_add(rows, Ordering::Relaxed);
    }

    pub(crate) fn transaction(&self, name: &'static str, change: impl FnOnce(&mut TxStats)) {
        change(
            self.transactions
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .entry(name)
                .or_default(),
        );
    }

    pub(crate) fn read(&self) -> Stats {
        Stats {
            statements: self.statements.load(Ordering::Relaxed),
            rows_written: self.rows.load(Ordering::Relaxed),
            transactions: self
                .transactions
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .clone(),
        }
    }
}
