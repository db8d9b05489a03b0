//! A token as it comes in: text of a bounded length that is never printed.

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Deserializer};
use utoipa::ToSchema;

/// No token of ours is longer.
const MAX_BYTES: usize = gatepost_tokens::MAX_TOKEN_BYTES;

/// A token that somebody sent. Whether it is one of ours is for the check to say.
#[derive(Debug, Clone, ToSchema)]
#[schema(value_type = String, max_length = 8192)]
pub struct RawToken(SecretString);

impl RawToken {
    /// The text.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

impl From<String> for RawToken {
    fn from(text: String) -> Self {
        Self(text.into())
    }
}

impl<'de> Deserialize<'de> for RawToken {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        if text.len() > MAX_BYTES {
            return Err(serde::de::Error::custom(
                "too long: a token has at most 8192 bytes",
            ));
        }
        Ok(Self(text.into()))
    }
}
