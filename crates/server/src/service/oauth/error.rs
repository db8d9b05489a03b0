//! Errors as RFC 6749 5.2 and RFC 6750 3.1 have them.

use std::borrow::Cow;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use gatepost_tokens::{Refused, ServiceError};
use serde::Serialize;
use utoipa::ToSchema;

use crate::http::Problem;
use crate::http::problem::log_refusal;

/// The words of the standards that we have use for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A parameter is missing, stands twice, or the body is no form.
    InvalidRequest,
    /// No credentials, or wrong ones.
    InvalidClient,
    /// Good credentials for something else.
    InsufficientScope,
    /// What was presented can't be revoked here.
    UnsupportedTokenType,
    /// The database does not answer.
    TemporarilyUnavailable,
    /// A fault of ours.
    ServerError,
}

/// How the caller tried to show who it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scheme {
    Basic,
    Bearer,
    None,
}

/// An error on its way out.
#[derive(Debug)]
pub struct OAuthError {
    kind: Kind,
    scheme: Scheme,
    description: Cow<'static, str>,
    scope: Option<String>,
}

/// The body of an error (RFC 6749, 5.2).
#[derive(Debug, Serialize, ToSchema)]
pub struct OAuthErrorDocument {
    /// `invalid_request`, `invalid_client`, `insufficient_scope`, `unsupported_token_type`,
    /// `temporarily_unavailable` or `server_error`.
    pub error: &'static str,
    /// For a person.
    pub error_description: Cow<'static, str>,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::InvalidRequest => "invalid_request",
            Self::InvalidClient => "invalid_client",
            Self::InsufficientScope => "insufficient_scope",
            Self::UnsupportedTokenType => "unsupported_token_type",
            Self::TemporarilyUnavailable => "temporarily_unavailable",
            Self::ServerError => "server_error",
        }
    }

    fn status(self) -> StatusCode {
        match self {
            Self::InvalidRequest | Self::UnsupportedTokenType => StatusCode::BAD_REQUEST,
            Self::InvalidClient => StatusCode::UNAUTHORIZED,
            Self::InsufficientScope => StatusCode::FORBIDDEN,
            Self::TemporarilyUnavailable => StatusCode::SERVICE_UNAVAILABLE,
            Self::ServerError => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

impl OAuthError {
    pub(crate) fn new(kind: Kind, description: impl Into<Cow<'static, str>>) -> Self {
        Self {
            kind,
            scheme: Scheme::None,
            description: description.into(),
            scope: None,
        }
    }

    /// Nobody that we know.
    pub(crate) fn client(scheme: Scheme, description: &'static str) -> Self {
        Self {
            scheme,
            ..Self::new(Kind::InvalidClient, description)
        }
    }

    /// Somebody that we know, who may not do this.
    pub(crate) fn scope(scheme: Scheme, scope: String) -> Self {
        Self {
            scheme,
            description: format!("This needs a key with the scope `{scope}`.").into(),
            scope: Some(scope),
            kind: Kind::InsufficientScope,
        }
    }

    /// How the caller is to show who it is: in the way that was tried, or in either (RFC 6749 5.2, RFC 6750 3).
    fn challenges(&self) -> Vec<String> {
        let basic = || "Basic realm=\"gatepost\", charset=\"UTF-8\"".to_owned();
        match (self.kind, self.scheme) {
            (Kind::InvalidClient, Scheme::Basic) => vec![basic()],
            (Kind::InvalidClient, Scheme::Bearer) => {
                vec!["Bearer realm=\"gatepost\", error=\"invalid_token\"".to_owned()]
            }
            (Kind::InvalidClient, Scheme::None) => vec!["Bearer realm=\"gatepost\"".to_owned(), basic()],
            (Kind::InsufficientScope, Scheme::Bearer) => {
                let scope = self.scope.as_deref().unwrap_or_default();
                vec![format!(
                    "Bearer realm=\"gatepost\", error=\"insufficient_scope\", scope=\"{scope}\""
                )]
            }
            _ => Vec::new(),
        }
    }
}

/// What went wrong inside is logged here, as every problem's cause is where it becomes an answer.
impl From<Problem> for OAuthError {
    fn from(problem: Problem) -> Self {
        problem.log();
        if problem.status() == StatusCode::SERVICE_UNAVAILABLE {
            Self::new(
                Kind::TemporarilyUnavailable,
                "The database does not answer; nothing is known and nothing was changed.",
            )
        } else {
            Self::new(Kind::ServerError, "A fault of the program; its log says more.")
        }
    }
}

impl From<gatepost_storage::Error> for OAuthError {
    fn from(error: gatepost_storage::Error) -> Self {
        Problem::from(error).into()
    }
}

impl From<ServiceError> for OAuthError {
    fn from(error: ServiceError) -> Self {
        Problem::from(error).into()
    }
}

impl From<Refused> for OAuthError {
    fn from(refused: Refused) -> Self {
        Problem::from(refused).into()
    }
}

impl IntoResponse for OAuthError {
    fn into_response(self) -> Response {
        let shown = self.scheme != Scheme::None;
        if shown && matches!(self.kind, Kind::InvalidClient | Kind::InsufficientScope) {
            log_refusal(self.kind.name());
        }
        let document = OAuthErrorDocument {
            error: self.kind.name(),
            error_description: self.description.clone(),
        };
        let mut response = (self.kind.status(), axum::Json(document)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        for challenge in self.challenges() {
            if let Ok(challenge) = HeaderValue::try_from(challenge) {
                headers.append(header::WWW_AUTHENTICATE, challenge);
            }
        }
        if self.kind == Kind::TemporarilyUnavailable {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }
}
