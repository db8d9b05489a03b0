//! "30m", "7d", "1h30m", "250ms".

use std::time::Duration;

/// Reads a duration. Every number has its unit, so that nobody mistakes seconds for minutes.
pub(crate) fn parse(text: &str) -> Result<Duration, String> {
    let wrong = || format!("{text:?} is not a duration; write \"30m\", \"12h\", \"7d\" or \"1h30m\"");
    let mut rest = text.trim();
    if rest.is_empty() {
        return Err(wrong());
    }
    let mut total = Duration::ZERO;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?;
        let number: u64 = rest[..digits].parse().map_err(|_| wrong())?;
        rest = &rest[digits..];
        let letters = rest
            .find(|c: char| !c.is_ascii_alphabetic())
            .unwrap_or(rest.len());
        let unit_ms: u64 = match &rest[..letters] {
            "ms" => 1,
            "s" => 1000,
            "m" | "min" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            "w" => 7 * 86_400_000,
            _ => return Err(wrong()),
        };
        rest = rest[letters..].trim_start();
        let part = number.checked_mul(unit_ms).ok_or_else(wrong)?;
        total = total.checked_add(Duration::from_millis(part)).ok_or_else(wrong)?;
    }
    // A hundred years: beyond, sums with points in time would overflow somewhere far from here.
    if total > Duration::from_hours(100 * 365 * 24) {
        return Err(format!("{text:?} is more than a hundred years"));
    }
    Ok(total)
}

/// The other way, as short as it goes.
pub(crate) fn write(duration: Duration) -> String {
    let mut ms = duration.as_millis();
    let mut out = String::new();
    for (unit, size) in [
        ("d", 86_400_000),
        ("h", 3_600_000),
        ("m", 60_000),
        ("s", 1000),
        ("ms", 1),
    ] {
        if ms >= size {
            out += &(ms / size).to_string();
            out += unit;
            ms %= size;
        }
    }
    if out.is_empty() { "0s".to_owned() } else { out }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_and_writes() {
        for (text, seconds) in [
            ("30m", 1800),
            ("7d", 604_800),
            ("1h30m", 5400),
            ("1h 30m", 5400),
            ("0s", 0),
        ] {
            assert_eq!(parse(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        assert_eq!(parse("250ms"), Ok(Duration::from_millis(250)));
        assert_eq!(write(Duration::from_millis(5_400_250)), "1h30m250ms");
        assert_eq!(write(Duration::ZERO), "0s");
    }

    #[test]
    fn refuses_what_could_be_misread() {
        for text in [
            "",
            "30",
            "m",
            "-5m",
            "1.5h",
            "5 parsecs",
            "99999999999999999999d",
            "200000d",
            "5m30",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
