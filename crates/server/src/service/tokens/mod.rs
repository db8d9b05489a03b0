//! `/api/tokens*`: tokens of any purpose for other programs, one verb a file.

pub mod batch;
pub mod create;
pub mod revoke;
pub mod validate;
pub mod verify;

use std::time::Duration;

use gatepost_storage::Timestamp;
use gatepost_tokens::AnyToken;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

/// Whom a token is about: 1 to 255 bytes without control characters. Need not be an account here.
#[derive(Debug, Clone)]
pub(crate) struct UserId(pub(crate) String);

impl<'de> Deserialize<'de> for UserId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        if (1..=gatepost_tokens::MAX_SUBJECT_BYTES).contains(&text.len())
            && !text.chars().any(char::is_control)
        {
            Ok(Self(text))
        } else {
            Err(serde::de::Error::custom(
                "a user id has 1 to 255 bytes and no control characters",
            ))
        }
    }
}

/// How long a token shall live: whole seconds as a number, or a text such as `30m`; from 1 s to 366 days.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Lifetime(pub(crate) Duration);

impl<'de> Deserialize<'de> for Lifetime {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl serde::de::Visitor<'_> for Visitor {
            type Value = Duration;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("whole seconds, or a text such as \"30m\"")
            }

            fn visit_u64<E: serde::de::Error>(self, seconds: u64) -> Result<Duration, E> {
                Ok(Duration::from_secs(seconds))
            }

            fn visit_i64<E: serde::de::Error>(self, seconds: i64) -> Result<Duration, E> {
                // Negative ones fall to the check of the bounds below.
                Ok(Duration::from_secs(u64::try_from(seconds).unwrap_or(0)))
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Duration, E> {
                crate::config::parse_duration(text).map_err(E::custom)
            }
        }
        let lifetime = deserializer.deserialize_any(Visitor)?;
        if lifetime.as_secs() == 0 || lifetime > gatepost_tokens::MAX_LIFETIME {
            return Err(serde::de::Error::custom(
                "a token lives for at least a second and at most 366 days",
            ));
        }
        Ok(Self(lifetime))
    }
}

/// What a good token says.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct Verified {
    /// Whom it is about.
    pub user_id: String,
    /// What it is for.
    pub purpose: String,
    /// From when on it is dead.
    #[schema(value_type = String, format = DateTime)]
    pub expires_at: Timestamp,
    /// The claims that were added when it was made.
    #[schema(value_type = Object)]
    pub claims: Map<String, Value>,
    /// Whether this call used it up.
    pub consumed: bool,
}

impl Verified {
    fn of(token: AnyToken, consumed: bool) -> Self {
        let AnyToken {
            purpose,
            claims,
            extra,
        } = token;
        Self {
            user_id: claims.subject,
            purpose: purpose.name,
            expires_at: Timestamp::from_secs(claims.expires_at),
            claims: extra,
            consumed,
        }
    }
}
