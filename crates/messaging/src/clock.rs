//! What tells the time where there is no store that does.

use std::fmt;
use std::sync::Arc;

use crate::Timestamp;

/// What tells the time: the machine's clock by default. A program with a store passes the store's, so that
/// all its parts agree: `Clock::from_fn(move || store.now())`.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> Timestamp + Send + Sync>);

impl Clock {
    /// The machine's clock.
    pub fn system() -> Self {
        #[cfg(feature = "store")]
        let system = {
            let clock = gatepost_storage::Clock::system();
            move || clock.now()
        };
        #[cfg(not(feature = "store"))]
        let system = || {
            #[expect(
                clippy::disallowed_methods,
                reason = "the one place without a store where the system's clock is read"
            )]
            let now = std::time::SystemTime::now();
            // Before 1970 the clock is not set at all.
            let since = now.duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
            Timestamp::from_micros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
        };
        Self(Arc::new(system))
    }

    /// A clock of your own.
    pub fn from_fn(now: impl Fn() -> Timestamp + Send + Sync + 'static) -> Self {
        Self(Arc::new(now))
    }

    /// What time it is.
    pub fn now(&self) -> Timestamp {
        (self.0)()
    }
}

impl Default for Clock {
    fn default() -> Self {
        Self::system()
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Clock")
    }
}
