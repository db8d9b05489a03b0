//! Claims in the order in which they stand, as a Python dictionary keeps them.

use std::fmt::{self, Write as _};

use serde::de::{Error as _, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// The claims of a token, in order. `Debug` shows their names.
#[derive(Clone, PartialEq, Default)]
pub struct Payload(Vec<(String, Value)>);

/// Whom a token is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UserId {
    /// A number.
    Integer(i64),
    /// Anything else: a UUID, a name, a number in quotes.
    Text(String),
}

impl Payload {
    /// A claim.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.0.iter().find(|claim| claim.0 == name).map(|claim| &claim.1)
    }

    /// A claim that is a string.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.get(name).and_then(Value::as_str)
    }

    /// Changes a claim in its place, or adds it at the end.
    pub fn set(&mut self, name: &str, value: impl Into<Value>) {
        let value = value.into();
        match self.0.iter_mut().find(|claim| claim.0 == name) {
            Some(claim) => claim.1 = value,
            None => self.0.push((name.to_owned(), value)),
        }
    }

    /// The claims, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value))
    }

    /// As Python's `json.dumps(..., separators=(",", ":"))` writes it: in order, everything beyond ASCII escaped.
    pub(super) fn to_json(&self) -> String {
        let mut json = String::from("{");
        for (place, (name, value)) in self.0.iter().enumerate() {
            if place > 0 {
                json.push(',');
            }
            push_ascii(&mut json, &Value::from(name.as_str()).to_string());
            json.push(':');
            push_ascii(&mut json, &value.to_string());
        }
        json.push('}');
        json
    }
}

/// Outside of strings JSON is ASCII, so whatever is not stands in a string, where it may be escaped.
fn push_ascii(json: &mut String, text: &str) {
    let mut units = [0; 2];
    for c in text.chars() {
        if c.is_ascii() && c != '\u{7f}' {
            json.push(c);
            continue;
        }
        for unit in c.encode_utf16(&mut units) {
            // Writing to a String can't fail.
            let _ = write!(json, "\\u{unit:04x}");
        }
    }
}

impl<'de> Deserialize<'de> for Payload {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Claims;

        impl<'de> Visitor<'de> for Claims {
            type Value = Payload;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("claims")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Payload, A::Error> {
                let mut payload = Payload::default();
                while let Some((name, value)) = map.next_entry::<String, Value>()? {
                    // simplejwt itself doubles this one, where TOKEN_TYPE_CLAIM is None.
                    if name != "null" && payload.get(&name).is_some() {
                        return Err(A::Error::custom("a claim stands there twice"));
                    }
                    payload.set(&name, value);
                }
                Ok(payload)
            }
        }

        deserializer.deserialize_map(Claims)
    }
}

impl fmt::Debug for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter().map(|claim| claim.0)).finish()
    }
}

impl fmt::Display for UserId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Integer(id) => fmt::Display::fmt(id, f),
            Self::Text(id) => f.write_str(id),
        }
    }
}

impl From<i64> for UserId {
    fn from(id: i64) -> Self {
        Self::Integer(id)
    }
}

impl From<&str> for UserId {
    fn from(id: &str) -> Self {
        Self::Text(id.to_owned())
    }
}

impl From<String> for UserId {
    fn from(id: String) -> Self {
        Self::Text(id)
    }
}
