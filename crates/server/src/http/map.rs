//! From the errors of the crates below to problems. The crates know no status codes; this file does.

use std::time::Duration;

use super::code::Code;
use super::problem::Problem;
use crate::accounts::hasher::HashError;
use crate::accounts::password::Weak;
use crate::cache::Limited;

impl From<gatepost_storage::Error> for Problem {
    fn from(error: gatepost_storage::Error) -> Self {
        if error.is_transient() || matches!(error, gatepost_storage::Error::Closed) {
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
        let code = match weak {
            Weak::TooShort { .. } => Code::PasswordTooShort,
            Weak::Common => Code::PasswordCommon,
            Weak::Contextual => Code::PasswordContextual,
        };
        let text = weak.to_string();
        Self::new(code)
            .detail(text.clone())
            .and_field("password", code.as_str(), text)
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
