//! How a command ends that did not do what it was asked: one line on standard error, with what to do next, and a
//! code that a script can tell apart.

use std::io::Write;
use std::process::ExitCode;

use gatepost_mail::MailError;
use gatepost_tokens::{KeyStoreError, Refused, ServiceError};

use crate::app::BuildError;
use crate::config::{ConfigError, SecretError};
use crate::http::Problem;

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

impl From<BuildError> for Failure {
    fn from(error: BuildError) -> Self {
        match error {
            BuildError::Config(error) => error.into(),
            BuildError::Storage(error) => error.into(),
            error if error.is_transient() => Self::unknown(error.to_string()),
            error => Self::no(error.to_string()),
        }
    }
}

impl From<Refused> for Failure {
    fn from(refused: Refused) -> Self {
        if refused.is_transient() {
            Self::unknown(format!("it can't be found out now: {refused}"))
        } else {
            Self::no(format!("{} ({refused})", refused.code()))
        }
    }
}

impl From<KeyStoreError> for Failure {
    fn from(error: KeyStoreError) -> Self {
        match error {
            KeyStoreError::Storage(error) => error.into(),
            KeyStoreError::InUse(kid) => Self::no(format!(
                "`{kid}` is the key that signs: `gatepost key rotate {kid} --now` makes its successor, then retire it"
            )),
            KeyStoreError::Unknown(_) => Self::no(format!("{error}; `gatepost key list` shows them")),
            error if error.is_transient() => Self::unknown(error.to_string()),
            KeyStoreError::Key(_) => Self::usage(error.to_string()),
            error => Self::no(error.to_string()),
        }
    }
}

impl From<ServiceError> for Failure {
    fn from(error: ServiceError) -> Self {
        match error {
            ServiceError::Storage(error) => error.into(),
            ServiceError::Create(error) => Self::usage(error.to_string()),
            error @ ServiceError::Unavailable(_) => Self::unknown(error.to_string()),
        }
    }
}

impl From<gatepost_messaging::Error> for Failure {
    fn from(error: gatepost_messaging::Error) -> Self {
        use gatepost_messaging::Error;
        match error {
            Error::Store(error) => error.into(),
            Error::Invalid { .. } | Error::TooLarge { .. } => Self::usage(error.to_string()),
            // It was asked and did not let itself be asked: nothing is known of what was to be found out.
            error @ Error::Refused { .. } => Self::unknown(format!(
                "{error}; look at the user, the password and the virtual host in broker.url (`gatepost config show`), \
                 and at what that user may do"
            )),
            error if error.is_transient() => {
                Self::unknown(format!("{error}; look at broker.url (`gatepost config show`)"))
            }
            error => Self::no(error.to_string()),
        }
    }
}

impl From<MailError> for Failure {
    fn from(error: MailError) -> Self {
        match error {
            MailError::Storage(error) => error.into(),
            MailError::Declined(declined) => {
                Self::no(format!("{declined}; `gatepost mail show ID` tells more"))
            }
            error if error.is_the_callers() => Self::usage(error.to_string()),
            error => Self::unknown(error.to_string()),
        }
    }
}

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Self {
        let text = format!("{} ({})", problem.text(), problem.code().as_str());
        if problem.status().is_server_error() {
            Self::unknown(text)
        } else {
            Self::no(text)
        }
    }
}
