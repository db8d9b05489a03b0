//! Fields that nobody but the reader of the letter may see.

use secrecy::zeroize::Zeroize;
use secrecy::{ExposeSecret, SecretBox};
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use serde_json::Value;

/// The key that marks a secret in a letter's JSON: `{"$secret": "..."}`.
///
/// Whoever stores or queues a letter's JSON replaces what stands under this key; rendering takes
/// the value out.
pub const MARK: &str = "$secret";

/// A field of a [`Letter`](crate::Letter) that is sealed wherever the letter waits, prints nothing,
/// and is wiped from memory when dropped. Mostly a link with a token in it.
pub struct Secret<T: Zeroize>(SecretBox<T>);

impl<T: Zeroize> Secret<T> {
    /// The value itself, for the one place that needs it.
    pub fn expose(&self) -> &T {
        self.0.expose_secret()
    }
}

impl<T: Zeroize> From<T> for Secret<T> {
    fn from(value: T) -> Self {
        Self(SecretBox::new(Box::new(value)))
    }
}

impl From<&str> for Secret<String> {
    fn from(value: &str) -> Self {
        value.to_owned().into()
    }
}

impl<T: Zeroize> std::fmt::Debug for Secret<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(..)")
    }
}

impl<T: Zeroize + Serialize> Serialize for Secret<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(1))?;
        map.serialize_entry(MARK, self.expose())?;
        map.end()
    }
}

/// The same JSON with every `{"$secret": value}` replaced by `value`.
pub fn reveal(data: Value) -> Value {
    match data {
        Value::Object(mut map) => {
            if map.len() == 1
                && let Some(value) = map.remove(MARK)
            {
                return value;
            }
            Value::Object(map.into_iter().map(|(k, v)| (k, reveal(v))).collect())
        }
        Value::Array(items) => Value::Array(items.into_iter().map(reveal).collect()),
        plain => plain,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_secret_prints_nothing_and_is_marked_in_json() {
        let secret: Secret<String> = "https://x.test/?token=t".into();
        assert_eq!(format!("{secret:?}"), "Secret(..)");
        let marked = serde_json::to_value(json!({ "links": [secret], "n": 1 })).unwrap();
        assert_eq!(
            marked,
            json!({ "links": [{ "$secret": "https://x.test/?token=t" }], "n": 1 })
        );
        assert_eq!(
            reveal(marked),
            json!({ "links": ["https://x.test/?token=t"], "n": 1 })
        );
    }
}
