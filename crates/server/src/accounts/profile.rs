//! What the application keeps with an account: an object of its own making, within bounds.

use serde::{Deserialize, Deserializer};
use serde_json::Value;
use utoipa::ToSchema;

/// As JSON text: 8 KiB.
const MAX_BYTES: usize = 8 * 1_024;

/// A JSON object of at most 8 KiB. Nothing in it is looked at, except by the rule that a password may not
/// repeat the name in it.
#[derive(Debug, Clone, Default, PartialEq, ToSchema)]
#[schema(value_type = Object)]
pub struct Profile(Value);

impl Profile {
    /// The object.
    pub fn into_value(self) -> Value {
        match self.0 {
            Value::Null => Value::Object(serde_json::Map::new()),
            object => object,
        }
    }

    /// The texts of its top level: a name, mostly.
    pub fn texts(&self) -> Vec<&str> {
        texts(&self.0)
    }
}

/// The texts at the top level of a profile.
pub fn texts(profile: &Value) -> Vec<&str> {
    profile
        .as_object()
        .map(|object| object.values().filter_map(Value::as_str).collect())
        .unwrap_or_default()
}

impl<'de> Deserialize<'de> for Profile {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let object = serde_json::Map::<String, Value>::deserialize(deserializer)?;
        let value = Value::Object(object);
        if value.to_string().len() > MAX_BYTES {
            return Err(serde::de::Error::custom(
                "too long: a profile takes at most 8 KiB",
            ));
        }
        Ok(Self(value))
    }
}

/// The language of somebody's letters: a tag like `en`, `ru` or `uk-UA`. One that no letter is written in is
/// kept and falls back when a letter is rendered.
#[derive(Debug, Clone, PartialEq, Eq, ToSchema)]
#[schema(value_type = String, max_length = 35, example = "en")]
pub struct LocaleTag(String);

impl LocaleTag {
    /// The tag.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<'de> Deserialize<'de> for LocaleTag {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let tag = String::deserialize(deserializer)?;
        let well_formed = (2..=35).contains(&tag.len())
            && tag
                .split(['-', '_'])
                .all(|part| (1..=8).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_alphanumeric()))
            && tag.as_bytes()[0].is_ascii_alphabetic();
        if !well_formed {
            return Err(serde::de::Error::custom(
                "expected a language tag like en, ru or uk-UA",
            ));
        }
        Ok(Self(tag))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_short_and_plain() {
        let parse = |text: &str| serde_json::from_value::<LocaleTag>(text.into());
        for good in ["en", "ru-RU", "uk_UA", "sr-Latn-RS"] {
            parse(good).unwrap();
        }
        for bad in ["", "e", "en-", "../etc", "en\n", "a".repeat(36).as_str(), "1a"] {
            parse(bad).unwrap_err();
        }
    }

    #[test]
    fn a_profile_is_an_object_of_bounded_size() {
        serde_json::from_str::<Profile>("[]").unwrap_err();
        let long = format!(r#"{{"a": "{}"}}"#, "x".repeat(9_000));
        assert!(
            serde_json::from_str::<Profile>(&long)
                .unwrap_err()
                .to_string()
                .starts_with("too long")
        );
        let profile: Profile = serde_json::from_str(r#"{"name": "Anna", "age": 3}"#).unwrap();
        assert_eq!(profile.texts(), ["Anna"]);
    }
}
