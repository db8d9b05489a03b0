//! Answers as Django REST framework writes them.

use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use gatepost_tokens::dialect::RouteError;
use gatepost_tokens::simplejwt::TokenError;
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::http::problem::log_refusal;
use crate::http::{Code, Problem};

/// The code of everything about tokens.
const TOKEN: &str = TokenError::CODE;

/// Why there is no answer as hoped for.
#[derive(Debug)]
pub(super) enum Refusal {
    /// The body, or the request, could not be read: status and `detail`.
    Request(StatusCode, String),
    /// Fields that are wrong, in their order.
    Fields(Vec<(String, Vec<String>)>),
    /// The token does not count.
    Token(TokenError),
    /// Nobody of that name and password, or nobody of that token.
    NoAccount(&'static str),
    /// A limit, or a fault of ours.
    Problem(Problem),
}

impl From<Problem> for Refusal {
    fn from(problem: Problem) -> Self {
        Self::Problem(problem)
    }
}

impl From<gatepost_storage::Error> for Refusal {
    fn from(error: gatepost_storage::Error) -> Self {
        Self::Problem(error.into())
    }
}

impl From<gatepost_tokens::ServiceError> for Refusal {
    fn from(error: gatepost_tokens::ServiceError) -> Self {
        Self::Problem(error.into())
    }
}

impl From<crate::cache::Limited> for Refusal {
    fn from(limited: crate::cache::Limited) -> Self {
        Self::Problem(limited.into())
    }
}

impl From<RouteError> for Refusal {
    fn from(error: RouteError) -> Self {
        match error {
            RouteError::Token(error) => Self::Token(error),
            RouteError::NoAccount => Self::NoAccount("No active account found for the given token."),
            RouteError::Service(error) => Self::Problem(error.into()),
        }
    }
}

/// A body whose fields stand in Django's order.
pub(super) fn body(fields: &impl Serialize) -> Result<String, Refusal> {
    serde_json::to_string(fields).map_err(|error| Refusal::Problem(Problem::internal(error)))
}

pub(super) fn respond(outcome: Result<String, Refusal>, scheme: &str) -> Response {
    let (status, body, wait) = match outcome {
        Ok(body) => (StatusCode::OK, body, None),
        Err(Refusal::Request(status, detail)) => (status, json!({ "detail": detail }).to_string(), None),
        Err(Refusal::Fields(fields)) => (StatusCode::BAD_REQUEST, object(fields), None),
        Err(Refusal::Token(error)) => {
            log_refusal(TOKEN);
            // Written by hand: `detail` comes first.
            let body = format!(
                r#"{{"detail":{},"code":"{TOKEN}"}}"#,
                Value::from(error.to_string())
            );
            (StatusCode::UNAUTHORIZED, body, None)
        }
        Err(Refusal::NoAccount(detail)) => {
            log_refusal("no_active_account");
            (
                StatusCode::UNAUTHORIZED,
                json!({ "detail": detail }).to_string(),
                None,
            )
        }
        Err(Refusal::Problem(problem)) => {
            problem.log();
            let wait = problem.wait().map(|wait| wait.as_secs().max(1));
            let detail = match (problem.code(), wait) {
                (Code::RateLimited, Some(wait)) => {
                    let seconds = if wait == 1 { "second" } else { "seconds" };
                    format!("Request was throttled. Expected available in {wait} {seconds}.")
                }
                _ => problem.text().to_owned(),
            };
            (problem.status(), json!({ "detail": detail }).to_string(), wait)
        }
    };
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::ALLOW, HeaderValue::from_static("POST, OPTIONS"));
    headers.insert(header::VARY, HeaderValue::from_static("Accept"));
    if let Some(wait) = wait {
        headers.insert(header::RETRY_AFTER, HeaderValue::from(wait));
    }
    if status == StatusCode::UNAUTHORIZED
        && let Ok(challenge) = HeaderValue::from_str(&format!("{scheme} realm=\"api\""))
    {
        headers.insert(header::WWW_AUTHENTICATE, challenge);
    }
    response
}

/// In the order of the fields, which a map of serde's would lose.
fn object(fields: Vec<(String, Vec<String>)>) -> String {
    let members: Vec<String> = fields
        .into_iter()
        .map(|(name, texts)| format!("{}:{}", Value::from(name), Value::from(texts)))
        .collect();
    format!("{{{}}}", members.join(","))
}

/// An answer without anything in it.
pub(super) fn nothing() -> String {
    Value::Object(Map::new()).to_string()
}
