//! Takes settings one by one, typed, and remembers what to show and what was wrong.

use std::time::Duration;

use super::error::Problem;
use super::layers::{Raw, Setting, Settings, Source};
use super::show::Shown;
use super::{durations, mask};

/// How much of a value may be seen.
#[derive(Clone, Copy)]
pub(crate) enum Seen {
    /// All of it.
    Whole,
    /// A URL: all but its password.
    Url,
    /// A URL: its scheme and host, since its path may be the secret.
    Origin,
    /// That it is there.
    Length,
}

/// Over the merged settings.
pub(crate) struct Reader {
    settings: Settings,
    shown: Vec<Shown>,
    problems: Vec<Problem>,
}

impl Reader {
    pub(crate) fn new(settings: Settings) -> Self {
        Self {
            settings,
            shown: Vec::new(),
            problems: Vec::new(),
        }
    }

    /// What was shown and what was wrong.
    pub(crate) fn finish(self) -> (Vec<Shown>, Vec<Problem>) {
        debug_assert!(
            self.settings.is_empty(),
            "a key of config.default.toml that nobody reads: {:?}",
            self.settings
        );
        (self.shown, self.problems)
    }

    pub(crate) fn problem(&mut self, key: &str, text: impl Into<String>) {
        let source = self.source(key).map(ToString::to_string).unwrap_or_default();
        self.problems.push(Problem {
            key: key.to_owned(),
            source,
            text: text.into(),
        });
    }

    /// Where the value of a key that has been read came from.
    pub(crate) fn source(&self, key: &str) -> Option<&Source> {
        self.shown.iter().rev().find(|s| s.key == key).map(|s| &s.source)
    }

    /// Says what an empty value stands for.
    pub(crate) fn derived(&mut self, key: &str, value: &str) {
        if let Some(shown) = self
            .shown
            .iter_mut()
            .rev()
            .find(|s| s.key == key && s.value.is_empty())
        {
            value.clone_into(&mut shown.value);
        }
    }

    /// Names under `tokens.purposes.`, in order.
    pub(crate) fn names_under(&self, prefix: &str) -> Vec<String> {
        let mut names: Vec<String> = self
            .settings
            .keys()
            .filter_map(|key| {
                key.strip_prefix(prefix)?
                    .split_once('.')
                    .map(|(name, _)| name.to_owned())
            })
            .collect();
        names.dedup();
        names
    }

    /// What follows the prefix, where a name itself holds the value.
    pub(crate) fn keys_under(&self, prefix: &str) -> Vec<String> {
        let keys = self.settings.keys();
        keys.filter_map(|key| key.strip_prefix(prefix).map(str::to_owned))
            .collect()
    }

    /// Names between the prefix and the field, where names have dots in them.
    pub(crate) fn names_before(&self, prefix: &str) -> Vec<String> {
        let mut names: Vec<String> = self
            .keys_under(prefix)
            .iter()
            .filter_map(|rest| rest.rsplit_once('.').map(|(name, _)| name.to_owned()))
            .collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    /// Whether it was written as a list.
    pub(crate) fn is_list(&self, key: &str) -> bool {
        let setting = self.settings.get(key);
        setting.is_some_and(|setting| matches!(setting.raw, Raw::Toml(toml::Value::Array(_))))
    }

    pub(crate) fn has(&self, key: &str) -> bool {
        self.settings.contains_key(key)
    }

    /// Takes a text through `parse`.
    pub(crate) fn parsed<T>(
        &mut self,
        key: &str,
        seen: Seen,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<T> {
        let text = self.text(key, seen)?;
        match parse(&text) {
            Ok(value) => Some(value),
            Err(why) => {
                self.problem(key, why);
                None
            }
        }
    }

    /// The same, and a list of texts as one text with commas between them.
    pub(crate) fn joined<T>(
        &mut self,
        key: &str,
        seen: Seen,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<T> {
        if let Some(setting) = self.settings.get_mut(key)
            && let Raw::Toml(toml::Value::Array(items)) = &setting.raw
            && let Some(items) = items.iter().map(toml::Value::as_str).collect::<Option<Vec<_>>>()
        {
            setting.raw = Raw::Text(items.join(", "));
        }
        self.parsed(key, seen, parse)
    }

    /// Takes a text.
    pub(crate) fn text(&mut self, key: &str, seen: Seen) -> Option<String> {
        let text = match self.take(key)? {
            Setting {
                raw: Raw::Text(text) | Raw::Toml(toml::Value::String(text)),
                source,
            } => {
                self.show(key, masked(&text, seen), source);
                text
            }
            other => return self.wrong(key, &other, "a text in quotes"),
        };
        Some(text)
    }

    /// Takes `true` or `false`.
    pub(crate) fn switch(&mut self, key: &str) -> Option<bool> {
        let setting = self.take(key)?;
        let value = match &setting.raw {
            Raw::Toml(toml::Value::Boolean(value)) => Some(*value),
            Raw::Text(text) => match text.to_ascii_lowercase().as_str() {
                "true" | "1" | "yes" | "on" => Some(true),
                "false" | "0" | "no" | "off" => Some(false),
                _ => None,
            },
            Raw::Toml(_) => None,
        };
        let Some(value) = value else {
            return self.wrong(key, &setting, "true or false");
        };
        self.show(key, value.to_string(), setting.source);
        Some(value)
    }

    /// Takes a whole number within the bounds.
    pub(crate) fn number(&mut self, key: &str, bounds: std::ops::RangeInclusive<u32>) -> Option<u32> {
        let setting = self.take(key)?;
        let value = match &setting.raw {
            Raw::Toml(toml::Value::Integer(value)) => u32::try_from(*value).ok(),
            Raw::Text(text) => text.trim().parse().ok(),
            Raw::Toml(_) => None,
        };
        let Some(value) = value.filter(|v| bounds.contains(v)) else {
            return self.wrong(
                key,
                &setting,
                &format!("a number from {} to {}", bounds.start(), bounds.end()),
            );
        };
        self.show(key, value.to_string(), setting.source);
        Some(value)
    }

    /// Takes a duration.
    pub(crate) fn duration(&mut self, key: &str) -> Option<Duration> {
        let text = self.text(key, Seen::Whole)?;
        match durations::parse(&text) {
            Ok(duration) => {
                if let Some(shown) = self.shown.last_mut() {
                    shown.value = durations::write(duration);
                }
                Some(duration)
            }
            Err(why) => {
                self.problem(key, why);
                None
            }
        }
    }

    /// Takes a list of texts; in a variable they are separated by commas.
    pub(crate) fn list(&mut self, key: &str, seen: Seen) -> Option<Vec<String>> {
        let setting = self.take(key)?;
        let items: Option<Vec<String>> = match &setting.raw {
            Raw::Text(text) => Some(
                text.split(',')
                    .map(str::trim)
                    .filter(|s| !s.is_empty())
                    .map(str::to_owned)
                    .collect(),
            ),
            Raw::Toml(toml::Value::Array(items)) => {
                items.iter().map(|i| i.as_str().map(str::to_owned)).collect()
            }
            Raw::Toml(_) => None,
        };
        let Some(items) = items else {
            return self.wrong(key, &setting, "a list of texts: [\"one\", \"two\"]");
        };
        let shown: Vec<String> = items.iter().map(|item| masked(item, seen)).collect();
        self.show(key, shown.join(", "), setting.source);
        Some(items)
    }

    fn take(&mut self, key: &str) -> Option<Setting> {
        let setting = self.settings.remove(key);
        debug_assert!(setting.is_some(), "{key} is missing in config.default.toml");
        setting
    }

    fn show(&mut self, key: &str, value: String, source: Source) {
        self.shown.push(Shown {
            key: key.to_owned(),
            value,
            source,
        });
    }

    /// Never repeats the value: it may be a secret that slipped into the wrong key.
    fn wrong<T>(&mut self, key: &str, setting: &Setting, wanted: &str) -> Option<T> {
        let text = format!("must be {wanted}");
        self.problems.push(Problem {
            key: key.to_owned(),
            source: setting.source.to_string(),
            text,
        });
        None
    }
}

fn masked(text: &str, seen: Seen) -> String {
    match seen {
        Seen::Whole => text.to_owned(),
        Seen::Url => mask::urls(text),
        Seen::Origin => mask::origin(text),
        Seen::Length => mask::secret(text),
    }
}
