//! Which of a letter's languages a reader gets.

/// The language everybody falls back on.
const LAST_RESORT: &str = "en";

/// The best of `there` for a reader who asked for `wanted`: the same tag, its language without the
/// region, English, or the first there is. `None` only if there is none at all.
pub(crate) fn choose<'a>(there: impl Iterator<Item = &'a str>, wanted: &str) -> Option<&'a str> {
    let there: Vec<&str> = there.collect();
    let mut tag = normal(wanted);
    loop {
        if let Some(found) = there.iter().find(|locale| normal(locale) == tag) {
            return Some(found);
        }
        match tag.rfind('-') {
            Some(cut) => tag.truncate(cut),
            None => break,
        }
    }
    there
        .iter()
        .find(|locale| **locale == LAST_RESORT)
        .or(there.first())
        .copied()
}

/// `ru_RU.UTF-8` and `RU-ru` are both `ru-ru`.
fn normal(tag: &str) -> String {
    tag.split('.')
        .next()
        .unwrap_or_default()
        .replace('_', "-")
        .to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::choose;

    #[test]
    fn falls_back_from_region_to_language_to_english_to_whatever_there_is() {
        let ours = ["en", "ru", "uk"];
        let pick = |wanted| choose(ours.into_iter(), wanted).unwrap();
        assert_eq!(pick("ru"), "ru");
        assert_eq!(pick("ru-RU"), "ru");
        assert_eq!(pick("uk_UA.UTF-8"), "uk");
        assert_eq!(pick("fr-CA"), "en");
        assert_eq!(pick(""), "en");
        assert_eq!(pick("../../etc"), "en");
        assert_eq!(choose(["de", "fr"].into_iter(), "ru"), Some("de"));
        assert_eq!(choose(["pt", "pt-BR"].into_iter(), "pt-br"), Some("pt-BR"));
        assert_eq!(choose([].into_iter(), "ru"), None);
    }
}
