//! From the errors of the crates below to problems. The crates know no status codes; this file does.

use std::time::Duration;

use super::code::Code;
use super::json::sentence;
use super::problem::Problem;
use gatepost_mail::MailError;
use gatepost_tokens::{Refused, ServiceError};

use crate::accounts::hasher::HashError;
use crate::accounts::password::Weak;
use crate::cache::Limited;

impl From<gatepost_storage::Error> for Problem {
    fn from(error: gatepost_storage::Error) -> Self {
        if matches!(error, gatepost_storage::Error::ElsewhereOnly(_)) {
            Self::new(Code::AccountsElsewhere).detail(sentence(&error.to_string()))
        } else if error.is_transient() || matches!(error, gatepost_storage::Error::Closed) {
            Self::unavailable(error)
        } else {
            Self::internal(error)
        }
    }
}

impl From<HashError> for Problem {
    fn from(error: HashError) -> Self {
        if error.is_transient() {
            Self::new(Code::Overloaded)
                .retry_after(Duration::from_secs(5))
                .cause(error)
        } else {
            Self::internal(error)
        }
    }
}

impl From<Weak> for Problem {
    fn from(weak: Weak) -> Self {
        Self::weak("password", weak)
    }
}

impl Problem {
    /// A password that may not be chosen, in the field of this name.
    pub fn weak(field: &'static str, weak: Weak) -> Self {
        let code = match weak {
            Weak::TooShort { .. } => Code::PasswordTooShort,
            Weak::Common => Code::PasswordCommon,
            Weak::Contextual => Code::PasswordContextual,
        };
        let text = weak.to_string();
        Self::new(code)
            .detail(text.clone())
            .and_field(field, code.as_str(), text)
    }
}

impl From<Limited> for Problem {
    fn from(Limited(wait): Limited) -> Self {
        let seconds = wait.as_secs().max(1);
        Self::new(Code::RateLimited)
            .retry_after(wait)
            .detail(format!("Too many requests. Wait {seconds} seconds."))
    }
}

/// A token in a body. As a credential: [`Problem::as_bearer`].
impl From<Refused> for Problem {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Malformed => Self::new(Code::TokenMalformed),
            Refused::Expired => Self::new(Code::TokenExpired),
            Refused::Used => Self::new(Code::TokenUsed),
            Refused::Revoked => Self::new(Code::TokenRevoked),
            Refused::WrongPurpose => Self::new(Code::TokenWrongPurpose),
            Refused::Unavailable(why) => Self::unavailable(why),
        }
    }
}

impl From<ServiceError> for Problem {
    fn from(error: ServiceError) -> Self {
        if error.is_transient() {
            Self::unavailable(error)
        } else {
            Self::internal(error)
        }
    }
}

impl From<gatepost_messaging::Error> for Problem {
    fn from(error: gatepost_messaging::Error) -> Self {
        // A broker that refuses our user is one that can't be asked; the log has its words.
        if error.is_transient() || matches!(error, gatepost_messaging::Error::Refused { .. }) {
            Self::unavailable(error)
        } else {
            Self::internal(error)
        }
    }
}

/// Of letters of our own. What a caller of `/api/mail` did wrong is told there.
impl From<MailError> for Problem {
    fn from(error: MailError) -> Self {
        if error.is_transient() {
            Self::unavailable(error)
        } else {
            Self::internal(error)
        }
    }
}
