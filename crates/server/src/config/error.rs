//! What is wrong with a configuration, in words that say what to do.

use std::fmt;

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The key it is about (`http.bind`), or the file or variable if it is not about a key.
    pub key: String,
    /// Where the value came from, in words; empty if it has no place.
    pub source: String,
    /// What is wrong and what to do about it. Never holds the value of a secret.
    pub text: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.key)?;
        if !self.source.is_empty() && self.source != self.key {
            write!(f, " (from {})", self.source)?;
        }
        write!(f, ": {}", self.text)
    }
}

/// A configuration that can't be used, with everything that is wrong with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    /// At least one.
    pub problems: Vec<Problem>,
}

impl ConfigError {
    pub(crate) fn one(key: impl Into<String>, source: impl Into<String>, text: impl Into<String>) -> Self {
        Self {
            problems: vec![Problem {
                key: key.into(),
                source: source.into(),
                text: text.into(),
            }],
        }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.problems.as_slice() {
            [] => write!(f, "the configuration can't be used"),
            [one] => write!(f, "{one}"),
            [first, rest @ ..] => {
                write!(
                    f,
                    "{first} (and {} more: `gatepost config check` lists them)",
                    rest.len()
                )
            }
        }
    }
}

impl std::error::Error for ConfigError {}
