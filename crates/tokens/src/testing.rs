//! For tests: a clock that stands still, and tokens of a secret that everybody knows.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use crate::{Clock, Keys, Tokens};

/// A clock that stands still until it is told to step.
#[derive(Debug, Clone)]
pub struct TestClock(Arc<AtomicI64>);

impl TestClock {
    /// Stands at this second since 1970.
    pub fn at(seconds: i64) -> Self {
        Self(Arc::new(AtomicI64::new(seconds)))
    }

    /// Steps forward, or back if negative.
    pub fn step(&self, seconds: i64) {
        self.0.fetch_add(seconds, Ordering::Relaxed);
    }

    /// The clock to hand to [`Tokens::with_clock`].
    pub fn clock(&self) -> Clock {
        let seconds = Arc::clone(&self.0);
        Clock::new(move || seconds.load(Ordering::Relaxed))
    }
}

/// Keys of a published secret. Never for anything but tests.
pub fn keys() -> Keys {
    #[expect(clippy::expect_used, reason = "it is long enough")]
    Keys::from_secret(b"for tests only: everybody knows this secret").expect("long enough")
}

/// Tokens of [`keys`] by a clock that stands at 2027-01-15T08:00:00Z.
pub fn tokens() -> (Tokens, TestClock) {
    let clock = TestClock::at(1_800_000_000);
    (Tokens::new(keys()).with_clock(clock.clock()), clock)
}
