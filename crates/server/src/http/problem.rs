//! What a caller gets when something is refused or fails: `application/problem+json` (RFC 9457).
//!
//! A [`Problem`] keeps what the caller may read (`detail`, `errors`) apart from what only the log may
//! (`cause`). It is logged where it becomes an answer, once, if it is our fault or if credentials were refused.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::time::Duration;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use super::code::Code;

/// A refusal or a failure on its way to the caller.
#[derive(Debug)]
pub struct Problem {
    code: Code,
    status: StatusCode,
    detail: Cow<'static, str>,
    errors: BTreeMap<Cow<'static, str>, Vec<FieldError>>,
    retry_after: Option<Duration>,
    bearer: bool,
    cause: Option<String>,
}

/// One thing that is wrong with one field.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct FieldError {
    /// Stable: `required`, `wrong_type`, `invalid`, `too_long`, or the code of the problem itself.
    pub code: Cow<'static, str>,
    /// For a person.
    pub message: Cow<'static, str>,
}

/// The document as it goes over the wire.
#[derive(Debug, Serialize, ToSchema)]
pub struct ProblemDocument {
    /// Where this kind of problem is explained; identifies it.
    pub r#type: String,
    /// The same for every problem of this code.
    pub title: &'static str,
    /// The HTTP status, again.
    pub status: u16,
    /// What happened this time, for a person.
    pub detail: Cow<'static, str>,
    /// What a program matches on.
    pub code: &'static str,
    /// With status 422: what is wrong with which field.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    #[schema(value_type = std::collections::HashMap<String, Vec<FieldError>>)]
    pub errors: BTreeMap<Cow<'static, str>, Vec<FieldError>>,
}

impl Problem {
    /// A problem of this code; its detail is the help of the code's title until [`Self::detail`] says more.
    pub fn new(code: Code) -> Self {
        Self {
            code,
            status: code.status(),
            detail: Cow::Borrowed(code.title()),
            errors: BTreeMap::new(),
            retry_after: None,
            bearer: false,
            cause: None,
        }
    }

    /// What happened this time, for the person at the other end. Never anything internal.
    #[must_use]
    pub fn detail(mut self, detail: impl Into<Cow<'static, str>>) -> Self {
        self.detail = detail.into();
        self
    }

    /// What only the log may say.
    #[must_use]
    #[expect(
        clippy::needless_pass_by_value,
        reason = "callers give away the error that they have"
    )]
    pub fn cause(mut self, cause: impl ToString) -> Self {
        self.cause = Some(cause.to_string());
        self
    }

    /// When it makes sense to ask again; goes out rounded up to whole seconds.
    #[must_use]
    pub fn retry_after(mut self, wait: Duration) -> Self {
        self.retry_after = Some(wait);
        self
    }

    /// A token problem of a credential rather than of a field: 401 with `WWW-Authenticate` (RFC 6750, 3).
    #[must_use]
    pub fn as_bearer(mut self) -> Self {
        if self.status.is_client_error() && self.status != StatusCode::FORBIDDEN {
            self.status = StatusCode::UNAUTHORIZED;
            self.bearer = true;
        }
        self
    }

    /// One field is wrong, in one way.
    pub fn field(
        field: impl Into<Cow<'static, str>>,
        code: &'static str,
        message: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self::new(Code::ValidationFailed).and_field(field, code, message)
    }

    /// One more field, or one more thing wrong with it.
    #[must_use]
    pub fn and_field(
        mut self,
        field: impl Into<Cow<'static, str>>,
        code: &'static str,
        message: impl Into<Cow<'static, str>>,
    ) -> Self {
        let error = FieldError {
            code: Cow::Borrowed(code),
            message: message.into(),
        };
        self.errors.entry(field.into()).or_default().push(error);
        self
    }

    /// No such thing.
    pub fn not_found() -> Self {
        Self::new(Code::NotFound)
    }

    /// A fault of ours: the caller learns that it happened, the log what.
    pub fn internal(cause: impl ToString) -> Self {
        Self::new(Code::Internal).cause(cause)
    }

    /// Something we depend on is away: 503, ask again in a second.
    pub fn unavailable(cause: impl ToString) -> Self {
        Self::new(Code::DependencyUnavailable)
            .retry_after(Duration::from_secs(1))
            .cause(cause)
    }

    /// The code, for who wants to tell problems apart in this program (hosted pages do).
    pub fn code(&self) -> Code {
        self.code
    }

    /// The detail, for a page that shows it to a person.
    pub fn text(&self) -> &str {
        &self.detail
    }

    /// What the caller reads.
    pub(crate) fn document(self) -> ProblemDocument {
        ProblemDocument {
            r#type: self.code.type_uri(),
            title: self.code.title(),
            status: self.status.as_u16(),
            detail: self.detail,
            code: self.code.as_str(),
            errors: self.errors,
        }
    }

    /// When it makes sense to ask again.
    pub fn wait(&self) -> Option<Duration> {
        self.retry_after
    }

    /// The status of the answer.
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// Log what is our fault, and credentials that were refused. Called once, by whoever turns the problem into an answer.
    pub fn log(&self) {
        match &self.cause {
            Some(cause) if self.status == StatusCode::INTERNAL_SERVER_ERROR => {
                tracing::error!(code = self.code.as_str(), cause, "a request failed");
            }
            Some(cause) => tracing::warn!(code = self.code.as_str(), cause, "a request could not be served"),
            // Every client's access token expires, and is then shown once more.
            None if self.bearer && self.code == Code::TokenExpired => {
                tracing::debug!(code = self.code.as_str(), "refused");
            }
            None if self.code.is_of_credentials() => log_refusal(self.code.as_str()),
            None => {}
        }
    }
}

/// Log that a password, a token or a key was refused (ASVS 16.3.1): the request's span says where and when.
pub(crate) fn log_refusal(code: &str) {
    tracing::info!(code, "refused");
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        self.log();
        let (status, retry_after, bearer) = (self.status, self.retry_after, self.bearer);
        let mut response = (status, axum::Json(self.document())).into_response();
        let headers = response.headers_mut();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/problem+json"),
        );
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(wait) = retry_after {
            let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds.max(1)));
        }
        if status == StatusCode::UNAUTHORIZED {
            let challenge = if bearer {
                "Bearer error=\"invalid_token\""
            } else {
                "Bearer"
            };
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_rounded_up_so_that_nobody_comes_too_early() {
        let response = Problem::new(Code::RateLimited)
            .retry_after(Duration::from_millis(1_200))
            .into_response();
        assert_eq!(response.headers()[header::RETRY_AFTER], "2");
    }

    #[test]
    fn a_token_problem_of_a_credential_is_401_and_of_a_field_400() {
        assert_eq!(Problem::new(Code::TokenExpired).status(), StatusCode::BAD_REQUEST);
        let response = Problem::new(Code::TokenExpired).as_bearer().into_response();
        assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
        assert_eq!(
            response.headers()[header::WWW_AUTHENTICATE],
            "Bearer error=\"invalid_token\""
        );
    }
}
