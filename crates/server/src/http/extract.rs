//! What else comes in with a request: forms, queries, ids in the path, idempotency keys.

use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::header;
use axum::http::request::Parts;
use serde::de::DeserializeOwned;

use super::code::Code;
use super::json::body_problem;
use super::problem::Problem;

/// A form of a hosted page (`application/x-www-form-urlencoded`).
#[derive(Debug, Clone, Copy)]
pub struct Form<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Form<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let kind = request
            .headers()
            .get(header::CONTENT_TYPE)
            .and_then(|v| v.to_str().ok())
            .unwrap_or_default();
        if !kind
            .trim()
            .to_ascii_lowercase()
            .starts_with("application/x-www-form-urlencoded")
        {
            return Err(Problem::new(Code::MediaTypeUnsupported)
                .detail("Send Content-Type: application/x-www-form-urlencoded."));
        }
        let body = Bytes::from_request(request, state)
            .await
            .map_err(|e| body_problem(&e))?;
        decode(&body, "form").map(Self)
    }
}

/// The query of an address.
#[derive(Debug, Clone, Copy)]
pub struct Query<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        decode(parts.uri.query().unwrap_or_default().as_bytes(), "query").map(Self)
    }
}

fn decode<T: DeserializeOwned>(text: &[u8], what: &'static str) -> Result<T, Problem> {
    if std::str::from_utf8(text).is_err() {
        return Err(Problem::new(Code::NotUtf8));
    }
    if text.windows(3).any(|w| w == b"%00") || text.contains(&0) {
        return Err(Problem::new(Code::BadRequest).detail("The character U+0000 may not stand in a text."));
    }
    serde_urlencoded::from_bytes(text).map_err(|error| {
        let message = error.to_string();
        match message
            .strip_prefix("missing field `")
            .and_then(|rest| rest.split('`').next())
        {
            Some(field) => Problem::field(field.to_owned(), "required", "This field is required."),
            None => Problem::field(what, "invalid", message),
        }
    })
}

/// An id in the path that is one of our UUIDs. Any other text is the id of nothing: 404, not 422.
#[derive(Debug, Clone, Copy)]
pub struct Id(pub uuid::Uuid);

impl<S: Send + Sync> FromRequestParts<S> for Id {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let axum::extract::Path(text) = axum::extract::Path::<String>::from_request_parts(parts, state)
            .await
            .map_err(|_| Problem::not_found())?;
        text.parse().map(Self).map_err(|_| Problem::not_found())
    }
}

/// The header `Idempotency-Key`, if there is one: 1 to 255 visible ASCII characters.
#[derive(Debug, Clone)]
pub struct IdempotencyKey(pub Option<String>);

impl<S: Send + Sync> FromRequestParts<S> for IdempotencyKey {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let Some(value) = parts.headers.get("idempotency-key") else {
            return Ok(Self(None));
        };
        match value.to_str() {
            Ok(key) if (1..=255).contains(&key.len()) => Ok(Self(Some(key.to_owned()))),
            _ => Err(Problem::new(Code::BadRequest)
                .detail("Idempotency-Key takes 1 to 255 visible ASCII characters.")),
        }
    }
}
