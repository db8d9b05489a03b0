//! What can go wrong, and what the client is told.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use gatepost_mail::MailError;
use gatepost_tokens::{CreateError, Refused};
use thiserror::Error;

/// Any of it.
#[derive(Debug, Error)]
pub enum Error {
    /// Somebody has registered with it.
    #[error("this address is taken")]
    AddressTaken,
    /// The token is good, and whom it was for is gone.
    #[error("there is no such user")]
    NoSuchUser,
    /// The token does not count.
    #[error("the link cannot be used: {0}")]
    Link(#[from] Refused),
    /// The letter cannot be queued.
    #[error(transparent)]
    Mail(#[from] MailError),
    /// A token cannot be made.
    #[error(transparent)]
    Token(#[from] CreateError),
    /// The database's.
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        let status = match &self {
            Self::AddressTaken | Self::Link(Refused::Used) => StatusCode::CONFLICT,
            Self::NoSuchUser => StatusCode::NOT_FOUND,
            Self::Link(refused) if refused.is_transient() => StatusCode::SERVICE_UNAVAILABLE,
            Self::Link(_) => StatusCode::BAD_REQUEST,
            Self::Mail(_) | Self::Token(_) | Self::Database(_) => StatusCode::INTERNAL_SERVER_ERROR,
        };
        // What is ours to mend is not the client's to read.
        let text = if status.is_server_error() {
            "try again later".to_owned()
        } else {
            self.to_string()
        };
        (status, text).into_response()
    }
}
