//! Times, spans and tables for people.

use std::time::Duration;

use gatepost_storage::Timestamp;

/// "in 29 minutes", "3 hours ago", "now".
pub(super) fn relative(then: Timestamp, now: Timestamp) -> String {
    let seconds = (then.as_micros() - now.as_micros()) / 1_000_000;
    let span = span(Duration::from_secs(seconds.unsigned_abs()));
    match seconds {
        0 => "now".to_owned(),
        1.. => format!("in {span}"),
        _ => format!("{span} ago"),
    }
}

/// "2026-11-22T12:30:00Z, in 29 minutes".
pub(super) fn time(then: Timestamp, now: Timestamp) -> String {
    format!("{then}, {}", relative(then, now))
}

/// The largest unit of which there are two or more, rounded to the nearest.
pub(super) fn span(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let (count, unit) = match seconds {
        0..=119 => (seconds, "second"),
        120..=7199 => ((seconds + 30) / 60, "minute"),
        7200..=172_799 => ((seconds + 1800) / 3600, "hour"),
        _ => ((seconds + 43_200) / 86_400, "day"),
    };
    if count == 1 {
        format!("1 {unit}")
    } else {
        format!("{count} {unit}s")
    }
}

/// Columns as wide as what stands in them, two spaces apart; the last one is not padded.
pub(super) fn table(head: &[&str], rows: &[Vec<String>]) -> String {
    let width = |column: usize| {
        let cells = rows
            .iter()
            .filter_map(|row| row.get(column))
            .map(|cell| cell.chars().count());
        cells.chain(head.get(column).map(|h| h.len())).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..head.len()).map(width).collect();
    let line = |cells: Vec<&str>| {
        let mut out = String::new();
        for (column, cell) in cells.iter().enumerate() {
            out += cell;
            if column + 1 < cells.len() {
                out += &" ".repeat(widths[column].saturating_sub(cell.chars().count()) + 2);
            }
        }
        out.trim_end().to_owned()
    };
    let mut lines = vec![line(head.to_vec())];
    lines.extend(
        rows.iter()
            .map(|row| line(row.iter().map(String::as_str).collect())),
    );
    lines.join("\n")
}

/// "1 user", "3 users".
pub(super) fn count(number: u64, noun: &str) -> String {
    if number == 1 {
        format!("1 {noun}")
    } else {
        format!("{number} {noun}s")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_in_words() {
        let now = Timestamp::parse_rfc3339("2026-11-22T12:00:00Z").unwrap();
        let after = |seconds| relative(now + Duration::from_secs(seconds), now);
        assert_eq!(
            (after(0), after(1), after(90)),
            ("now".into(), "in 1 second".into(), "in 90 seconds".into())
        );
        assert_eq!(
            (after(1800), after(86_400)),
            ("in 30 minutes".into(), "in 24 hours".into())
        );
        assert_eq!(relative(now, now + Duration::from_hours(72)), "3 days ago");
        assert_eq!(count(1, "user") + ", " + &count(0, "user"), "1 user, 0 users");
    }

    #[test]
    fn a_table_lines_up() {
        let rows = [
            vec!["a".to_owned(), "x".to_owned()],
            vec!["длинное".to_owned(), String::new()],
        ];
        assert_eq!(
            table(&["KEY", "VALUE"], &rows),
            "KEY      VALUE\na        x\nдлинное"
        );
    }
}
