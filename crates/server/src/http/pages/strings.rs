//! What the pages say, by language.

use std::collections::HashMap;
use std::sync::LazyLock;

use super::Lang;

type Strings = HashMap<String, String>;

static ALL: LazyLock<[Strings; 3]> = LazyLock::new(|| {
    [
        include_str!("../../../pages/strings/en.json"),
        include_str!("../../../pages/strings/ru.json"),
        include_str!("../../../pages/strings/uk.json"),
    ]
    .map(|json| {
        #[expect(
            clippy::expect_used,
            reason = "the files are compiled in, and a test of this module reads them"
        )]
        serde_json::from_str(json).expect("a map of strings")
    })
});

/// The sentence of that name.
pub(super) fn get(lang: Lang, key: &str) -> Option<&'static str> {
    ALL[lang as usize].get(key).map(String::as_str)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// The `{names}` that a sentence has filled in.
    fn gaps(text: &str) -> BTreeSet<&str> {
        text.split('{')
            .skip(1)
            .filter_map(|rest| rest.split('}').next())
            .collect()
    }

    #[test]
    fn every_language_says_the_same_things_and_shouts_at_nobody() {
        let keys = |lang: Lang| ALL[lang as usize].keys().collect::<BTreeSet<_>>();
        for lang in Lang::ALL {
            assert_eq!(keys(Lang::En), keys(lang), "{lang:?}");
            for (key, text) in &ALL[lang as usize] {
                assert!(!text.is_empty() && !text.contains('!'), "{lang:?} {key}");
                let english = get(Lang::En, key).unwrap();
                assert_eq!(gaps(english), gaps(text), "{lang:?} {key}");
            }
        }
    }
}
