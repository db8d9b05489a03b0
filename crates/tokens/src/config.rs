//! What can be set about tokens.

use std::time::Duration;

use crate::purpose::PurposeSpec;

/// How tokens are named and which purposes there are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Who makes them (`iss`). Changing it refuses every token made before.
    pub issuer: String,
    /// Whom they are for (`aud`). Changing it refuses every token made before.
    pub audience: String,
    /// Purposes besides the built-in ones, and other lifetimes for those.
    pub purposes: Vec<PurposeSpec>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            issuer: "gatepost".to_owned(),
            audience: "gatepost".to_owned(),
            purposes: Vec::new(),
        }
    }
}

/// How long a session lasts, and how long a lost answer can be asked for again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionLimits {
    /// A session that is not refreshed for so long ends; without it, after the lifetime of its refresh tokens, which
    /// is 7 days unless configured. Never more than that.
    pub idle: Option<Duration>,
    /// A session ends so long after it began, however often it is refreshed (ASVS 7.3.2, 10.4.8).
    pub absolute: Duration,
    /// For so long after a rotation the previous token gets the same successor even if that was seen already:
    /// the tabs of one browser refresh at once, and an answer may be lost after it was used.
    pub retry_window: Duration,
}

impl Default for SessionLimits {
    /// Idle for as long as a refresh token lives, 90 days in all, 10 s to retry.
    fn default() -> Self {
        Self {
            idle: None,
            absolute: Duration::from_hours(90 * 24),
            retry_window: Duration::from_secs(10),
        }
    }
}
