//! Letters a second to one server.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Spaces letters evenly.
#[derive(Debug)]
pub(super) struct Pace {
    // None: as fast as they come.
    gap: Option<Duration>,
    next: Mutex<Option<Instant>>,
}

impl Pace {
    /// 0 for no limit.
    pub(super) fn new(letters_a_second: u32) -> Self {
        Self {
            gap: Duration::from_secs(1).checked_div(letters_a_second),
            next: Mutex::default(),
        }
    }

    /// Waits for the next place in the row.
    pub(super) async fn wait(&self) {
        let Some(gap) = self.gap else { return };
        let at = {
            let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
            let now = Instant::now();
            let at = next.map_or(now, |next| next.max(now));
            *next = Some(at + gap);
            at
        };
        tokio::time::sleep_until(at).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn letters_leave_evenly() {
        let pace = Pace::new(10);
        let began = Instant::now();
        for _ in 0..31 {
            pace.wait().await;
        }
        assert_eq!(began.elapsed(), Duration::from_secs(3));
        let pace = Pace::new(0);
        for _ in 0..1_000 {
            pace.wait().await;
        }
        assert_eq!(began.elapsed(), Duration::from_secs(3));
    }
}
