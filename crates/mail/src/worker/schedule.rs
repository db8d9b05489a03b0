//! When a letter that was put off is tried again.

use std::time::Duration;

use gatepost_storage::Timestamp;

use crate::jitter::jittered;

/// The delays after each attempt; the last one repeats. A server that puts strangers off at first
/// (greylisting) lets them in after some minutes.
const DELAYS: [Duration; 7] = [
    Duration::from_secs(5),
    Duration::from_secs(30),
    Duration::from_mins(2),
    Duration::from_mins(10),
    Duration::from_mins(30),
    Duration::from_hours(2),
    Duration::from_hours(6),
];

/// Attempts of a letter that says of itself no end: about two days.
const MAX_ATTEMPTS: i64 = 12;

/// When a letter is tried again after its `attempts`th attempt (1 is the first); `None` if never.
///
/// A letter with an expiry is tried until then: the nearer that is, the shorter the delays, so that a
/// server that comes back late still gets it.
pub(super) fn next_attempt(
    now: Timestamp,
    attempts: i64,
    expires_at: Option<Timestamp>,
) -> Option<Timestamp> {
    let rung = usize::try_from(attempts.max(1) - 1)
        .unwrap_or(usize::MAX)
        .min(DELAYS.len() - 1);
    let delay = DELAYS[rung];
    let delay = match expires_at {
        None if attempts >= MAX_ATTEMPTS => return None,
        None => delay,
        Some(end) => delay.min((end.since(now) / 4).max(DELAYS[0])),
    };
    Some(now + jittered(delay))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grows_and_ends() {
        let now = Timestamp::from_secs(1_000_000);
        let mut last = Duration::ZERO;
        for attempts in 1..=7 {
            let wait = next_attempt(now, attempts, None).unwrap().since(now);
            assert!(wait > last, "{attempts}: {wait:?}");
            last = wait;
        }
        assert!(next_attempt(now, MAX_ATTEMPTS, None).is_none());
    }

    #[test]
    fn a_letter_with_an_end_is_tried_up_to_it() {
        let now = Timestamp::from_secs(1_000_000);
        let end = now + Duration::from_mins(20);
        let (mut at, mut attempts) = (now, 0);
        while at < end {
            attempts += 1;
            at = next_attempt(at, attempts, Some(end)).unwrap();
            assert!(attempts < 60);
        }
        assert!(at.since(end) < Duration::from_secs(7));
    }
}
