//! What simplejwt's routes give, and why they refuse.

use uuid::Uuid;

use crate::error::{CreateError, ServiceError};
use crate::sessions::Grant;
use crate::simplejwt::TokenError;

/// Why a route refuses or fails.
#[derive(Debug, thiserror::Error)]
pub enum RouteError {
    /// The token does not count.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// Its user is gone or switched off.
    #[error("No active account found for the given token.")]
    NoAccount,
    /// Nobody could find out.
    #[error(transparent)]
    Service(#[from] ServiceError),
}

impl From<gatepost_storage::Error> for RouteError {
    fn from(error: gatepost_storage::Error) -> Self {
        Self::Service(error.into())
    }
}

impl From<CreateError> for RouteError {
    fn from(error: CreateError) -> Self {
        Self::Service(error.into())
    }
}

/// What a login gives. `Debug` does not show it.
#[derive(Clone)]
pub enum Obtained {
    /// A refresh token and its access token.
    Pair(Grant),
    /// A sliding token.
    Sliding {
        /// The token.
        token: String,
        /// Its session.
        sid: Uuid,
        /// The second from which on it counts.
        good_from: i64,
    },
}

/// What a refresh gives. `Debug` does not show it.
#[derive(Clone)]
pub struct Renewed {
    /// The new access token.
    pub access: String,
    /// The successor of the refresh token, if refresh tokens are rotated.
    pub refresh: Option<String>,
    pub(super) sid: Uuid,
    pub(super) subject: String,
    pub(super) expires_in: i64,
    pub(super) good_from: i64,
}

impl std::fmt::Debug for Obtained {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Obtained")
    }
}

impl std::fmt::Debug for Renewed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Renewed")
            .field("sid", &self.sid)
            .finish_non_exhaustive()
    }
}

impl Obtained {
    /// The session that it opened.
    pub fn sid(&self) -> Uuid {
        match self {
            Self::Pair(grant) => grant.sid,
            Self::Sliding { sid, .. } => *sid,
        }
    }
}

impl Renewed {
    /// As our own routes give it: with the refresh token to go on with, which may be the old one.
    pub(crate) fn into_grant(self, raw: &str) -> Grant {
        Grant {
            access: self.access,
            refresh: self.refresh.unwrap_or_else(|| raw.to_owned()),
            expires_in: self.expires_in,
            sid: self.sid,
            subject: self.subject,
            good_from: self.good_from,
        }
    }

    pub(super) fn of_grant(grant: Grant) -> Self {
        Self {
            access: grant.access,
            refresh: Some(grant.refresh),
            sid: grant.sid,
            subject: grant.subject,
            expires_in: grant.expires_in,
            good_from: grant.good_from,
        }
    }
}
