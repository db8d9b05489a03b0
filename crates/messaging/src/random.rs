//! Where jitter comes from: passed in, so that a test can fix it.

use std::fmt;
use std::sync::Arc;

/// A source of numbers from 0 (included) to 1 (excluded).
#[derive(Clone)]
pub struct Random(Arc<dyn Fn() -> f64 + Send + Sync>);

impl Random {
    /// The operating system's generator.
    pub fn system() -> Self {
        Self(Arc::new(system))
    }

    /// A source of your own. What it gives is clamped into the range.
    pub fn from_fn(source: impl Fn() -> f64 + Send + Sync + 'static) -> Self {
        Self(Arc::new(source))
    }

    /// The next number.
    pub fn next(&self) -> f64 {
        (self.0)().clamp(0.0, 1.0 - f64::EPSILON)
    }
}

impl Default for Random {
    fn default() -> Self {
        Self::system()
    }
}

impl fmt::Debug for Random {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Random")
    }
}

fn system() -> f64 {
    let mut bytes = [0_u8; 4];
    // Without randomness the delays lose their jitter and nothing else.
    if getrandom::fill(&mut bytes).is_err() {
        return 0.5;
    }
    f64::from(u32::from_le_bytes(bytes)) / (f64::from(u32::MAX) + 1.0)
}
