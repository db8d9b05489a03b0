//! Named places at which a test lets the process die, so that each row of the failure matrix is hit on
//! purpose and not by luck.
//!
//! With the feature `testing` and `GATEPOST_FAULT=NAME` (or `NAME:3`, the third time) in the environment, the
//! process aborts when it reaches the place of that name. Without the feature nothing is left of it.

/// The process dies here, if that was asked for.
#[cfg(feature = "testing")]
#[expect(
    clippy::print_stderr,
    reason = "the last words of a process that dies on purpose"
)]
pub fn hit(name: &str) {
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicU64, Ordering};

    static ASKED: OnceLock<Option<(String, u64)>> = OnceLock::new();
    static TIMES: AtomicU64 = AtomicU64::new(0);

    let asked = ASKED.get_or_init(|| {
        let asked = std::env::var("GATEPOST_FAULT")
            .ok()
            .filter(|asked| !asked.is_empty())?;
        match asked.rsplit_once(':') {
            Some((name, times)) if times.parse::<u64>().is_ok() => {
                Some((name.to_owned(), times.parse().unwrap_or(1)))
            }
            _ => Some((asked, 1)),
        }
    });
    if let Some((at, nth)) = asked
        && at == name
        && TIMES.fetch_add(1, Ordering::Relaxed) + 1 == *nth
    {
        eprintln!("GATEPOST_FAULT: dying at {name}");
        std::process::abort();
    }
}

/// The process dies here, if that was asked for: not in this build.
#[cfg(not(feature = "testing"))]
#[inline]
pub fn hit(_: &str) {}
