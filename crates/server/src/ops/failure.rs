//! How a command ends that did not do what it was asked: one line on standard error, with what to do next, and a
//! code that a script can tell apart.

use std::io::Write;
use std::process::ExitCode;

use crate::config::{ConfigError, SecretError};

/// A command that ended otherwise than hoped.
#[derive(Debug)]
pub(super) struct Failure {
    code: u8,
    text: String,
}

impl Failure {
    /// 1: the answer is no, or a problem was found.
    pub(super) fn no(text: impl Into<String>) -> Self {
        Self {
            code: 1,
            text: text.into(),
        }
    }

    /// 2: the command was not used right.
    pub(super) fn usage(text: impl Into<String>) -> Self {
        Self {
            code: 2,
            text: text.into(),
        }
    }

    /// 3: it could not be found out; something is unreachable.
    pub(super) fn unknown(text: impl Into<String>) -> Self {
        Self {
            code: 3,
            text: text.into(),
        }
    }

    /// 1 without a word: everything has been said.
    pub(super) fn said() -> Self {
        Self {
            code: 1,
            text: String::new(),
        }
    }

    /// Prints it.
    pub(super) fn report(&self) -> ExitCode {
        if !self.text.is_empty() {
            let line = self.text.replace(['\n', '\r'], " ");
            // If standard error is closed, the code still tells.
            let _ = writeln!(std::io::stderr(), "gatepost: {line}");
        }
        ExitCode::from(self.code)
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        Self::no(error.to_string())
    }
}

impl From<SecretError> for Failure {
    fn from(error: SecretError) -> Self {
        Self::no(error.to_string())
    }
}

impl From<gatepost_storage::Error> for Failure {
    fn from(error: gatepost_storage::Error) -> Self {
        match &error {
            gatepost_storage::Error::Migration(_) | gatepost_storage::Error::Url(_) => {
                Self::no(error.to_string())
            }
            _ => Self::unknown(format!("{error}; look at storage.url (`gatepost config show`)")),
        }
    }
}
