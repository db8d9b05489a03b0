//! Who was told what: the letters that were asked for.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// All letters, by their address; each has one of its own.
#[derive(Debug, Default)]
pub(super) struct Letters {
    book: Mutex<Book>,
}

/// What became of asking.
#[derive(Debug, Default, Clone)]
pub(super) struct Book {
    /// The address, and who asked: from here on, a promise.
    pub(super) answered: HashMap<String, &'static str>,
    /// How often somebody got no answer or a refusal, and what was last said.
    pub(super) refused: BTreeMap<&'static str, (u64, String)>,
}

impl Letters {
    /// The program has said yes.
    pub(super) fn answered(&self, by: &'static str, to: String) {
        self.lock().answered.insert(to, by);
    }

    /// It has not: the letter may arrive, or not.
    pub(super) fn refused(&self, by: &'static str, why: String) {
        let mut book = self.lock();
        let (count, last) = book.refused.entry(by).or_default();
        *count += 1;
        *last = why;
    }

    pub(super) fn book(&self) -> Book {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
