//! Times and durations in the reader's language, for letters and for pages.

use jiff::Timestamp;
use jiff::tz::TimeZone;

const EN: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const RU: [&str; 12] = [
    "января",
    "февраля",
    "марта",
    "апреля",
    "мая",
    "июня",
    "июля",
    "августа",
    "сентября",
    "октября",
    "ноября",
    "декабря",
];
const UK: [&str; 12] = [
    "січня",
    "лютого",
    "березня",
    "квітня",
    "травня",
    "червня",
    "липня",
    "серпня",
    "вересня",
    "жовтня",
    "листопада",
    "грудня",
];

/// `22 ноября 2026, 12:15 UTC`; in a language we have no months of, `2026-11-22 12:15 UTC`.
pub fn moment(at: Timestamp, locale: &str) -> String {
    let at = at.to_zoned(TimeZone::UTC);
    let months = match language(locale) {
        "en" => EN,
        "ru" => RU,
        "uk" => UK,
        _ => return at.strftime("%Y-%m-%d %H:%M UTC").to_string(),
    };
    // jiff's months are 1 to 12.
    let month = months[usize::from(at.month().unsigned_abs()) - 1];
    format!(
        "{} {month} {}, {:02}:{:02} UTC",
        at.day(),
        at.year(),
        at.hour(),
        at.minute()
    )
}

/// `30 минут`, in the largest unit that divides it, in the case that follows "for"; in a language
/// we have no words of, `30 min`.
pub fn duration(seconds: u64, locale: &str) -> String {
    let (count, unit) = match seconds {
        s if s >= 86_400 && s % 86_400 == 0 => (s / 86_400, 0),
        s if s >= 3600 && s % 3600 == 0 => (s / 3600, 1),
        s if s >= 60 && s % 60 == 0 => (s / 60, 2),
        s => (s, 3),
    };
    let word = match language(locale) {
        "en" => {
            let forms = [
                ["day", "days"],
                ["hour", "hours"],
                ["minute", "minutes"],
                ["second", "seconds"],
            ];
            forms[unit][usize::from(count != 1)]
        }
        "ru" => {
            let forms = [
                ["день", "дня", "дней"],
                ["час", "часа", "часов"],
                ["минуту", "минуты", "минут"],
                ["секунду", "секунды", "секунд"],
            ];
            forms[unit][slavic_plural(count)]
        }
        "uk" => {
            let forms = [
                ["день", "дні", "днів"],
                ["годину", "години", "годин"],
                ["хвилину", "хвилини", "хвилин"],
                ["секунду", "секунди", "секунд"],
            ];
            forms[unit][slavic_plural(count)]
        }
        _ => ["d", "h", "min", "s"][unit],
    };
    format!("{count} {word}")
}

/// 1, 21, 31 are like one; 2 to 4, 22 to 24 like few; 11 to 14 and the rest like many.
fn slavic_plural(count: u64) -> usize {
    match (count % 10, count % 100) {
        (_, 11..=14) => 2,
        (1, _) => 0,
        (2..=4, _) => 1,
        _ => 2,
    }
}

fn language(locale: &str) -> &str {
    locale.split(['-', '_']).next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_as_people_do() {
        assert_eq!(duration(1800, "en"), "30 minutes");
        assert_eq!(duration(60, "en-GB"), "1 minute");
        assert_eq!(duration(1800, "ru"), "30 минут");
        assert_eq!(duration(3600, "ru"), "1 час");
        assert_eq!(duration(2 * 3600, "uk"), "2 години");
        assert_eq!(duration(21 * 60, "ru"), "21 минуту");
        assert_eq!(duration(12 * 60, "uk"), "12 хвилин");
        assert_eq!(duration(7 * 86_400, "uk"), "7 днів");
        assert_eq!(duration(90, "ru"), "90 секунд");
        assert_eq!(duration(1800, "de"), "30 min");
    }

    #[test]
    fn tells_the_time_in_three_languages() {
        let at: Timestamp = "2026-05-03T04:05:59Z".parse().unwrap();
        assert_eq!(moment(at, "en"), "3 May 2026, 04:05 UTC");
        assert_eq!(moment(at, "ru"), "3 мая 2026, 04:05 UTC");
        assert_eq!(moment(at, "uk"), "3 травня 2026, 04:05 UTC");
        assert_eq!(moment(at, "de"), "2026-05-03 04:05 UTC");
    }
}
