//! What failed together shall not come back together.

use std::time::Duration;

/// A fifth more or less.
pub(crate) fn jittered(delay: Duration) -> Duration {
    let mut bytes = [0; 4];
    // Without randomness there is no jitter; the delay itself does.
    if getrandom::fill(&mut bytes).is_err() {
        return delay;
    }
    let unit = f64::from(u32::from_le_bytes(bytes)) / f64::from(u32::MAX);
    delay.mul_f64(0.8 + 0.4 * unit)
}
