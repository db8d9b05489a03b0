//! The working memory of password hashes: kept from one to the next while there is a line, and given back to
//! the system after it.
//!
//! Allocators keep freed blocks of this size for the thread that had them. After a burst of logins, with a
//! thread for each hash, that was 680 MB here. Blocks above 32 MiB (glibc's largest threshold for `mmap`)
//! always go back, and what is not touched of them costs nothing.

use std::sync::{Mutex, PoisonError};

use argon2::Block;

/// 33 MiB, of which a hash touches what its cost says.
const ALWAYS_RETURNED: usize = 33 * 1_024;

/// Memory that the next hash can have.
#[derive(Debug, Default)]
pub(super) struct Memory(Mutex<Vec<Vec<Block>>>);

impl Memory {
    /// Some that was kept, or new.
    pub(super) fn take(&self) -> Vec<Block> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner).pop();
        kept.unwrap_or_else(|| Vec::with_capacity(ALWAYS_RETURNED))
    }

    /// Keep it for who waits; else let go of all that was kept. A row that asked for more than is usual does
    /// not make it usual.
    pub(super) fn give_back(&self, memory: Vec<Block>, somebody_waits: bool) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if somebody_waits && memory.capacity() <= ALWAYS_RETURNED {
            kept.push(memory);
        } else {
            kept.clear();
        }
    }

    /// How many are kept.
    #[cfg(test)]
    pub(super) fn kept(&self) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).len()
    }
}
