//! What else comes in with a request: forms, queries, ids in the path, idempotency keys.

use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::header;
use axum::http::request::Parts;
use serde::de::DeserializeOwned;

use super::code::Code;
use super::json::{body_problem, sentence};
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
    let plain = unescaped(text);
    // The parser would put U+FFFD in its place: a password that nobody typed.
    if std::str::from_utf8(&plain).is_err() {
        return Err(Problem::new(Code::NotUtf8));
    }
    if plain.contains(&0) {
        return Err(Problem::new(Code::BadRequest).detail("The character U+0000 may not stand in a text."));
    }
    let parser = serde_urlencoded::Deserializer::new(form_urlencoded::parse(text));
    serde_path_to_error::deserialize(parser).map_err(|error| field_problem(&error, what))
}

/// The bytes that the escapes stand for; one that is none stands for itself.
fn unescaped(text: &[u8]) -> Vec<u8> {
    let digit = |at: usize| {
        let digit = char::from(*text.get(at)?).to_digit(16)?;
        u8::try_from(digit).ok()
    };
    let (mut plain, mut at) = (Vec::with_capacity(text.len()), 0);
    while let Some(byte) = text.get(at) {
        let escaped = digit(at + 1).zip(digit(at + 2)).filter(|_| *byte == b'%');
        if let Some((high, low)) = escaped {
            plain.push(high << 4 | low);
            at += 3;
        } else {
            plain.push(*byte);
            at += 1;
        }
    }
    plain
}

/// Which field is at fault. serde reports one that is missing, or stands twice, at its parent, by name.
fn field_problem(error: &serde_path_to_error::Error<serde::de::value::Error>, what: &'static str) -> Problem {
    let (path, message) = (error.path().to_string(), error.inner().to_string());
    let named = |start: &str| Some(message.strip_prefix(start)?.split('`').next()?.to_owned());
    if let Some(field) = named("missing field `") {
        return Problem::field(field, "required", "This field is required.");
    }
    if let Some(field) = named("duplicate field `") {
        return Problem::field(field, "invalid", "This field stands twice.");
    }
    let field = if path == "." { what.to_owned() } else { path };
    Problem::field(field, "invalid", sentence(&message))
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

/// The id of a user in the path. Any text that is none is the id of nobody: 404, not 422.
#[derive(Debug, Clone, Copy)]
pub struct UserIn(pub gatepost_storage::UserId);

impl<S: Send + Sync> FromRequestParts<S> for UserIn {
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

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    struct Asked {
        name: String,
        count: Option<u8>,
    }

    fn errors(text: &str) -> serde_json::Value {
        let problem = decode::<Asked>(text.as_bytes(), "query").unwrap_err();
        let code = problem.code().as_str();
        let body = axum::body::to_bytes(
            axum::response::IntoResponse::into_response(problem).into_body(),
            9_999,
        );
        let body = futures_util::FutureExt::now_or_never(body).unwrap().unwrap();
        let document: serde_json::Value = serde_json::from_slice(&body).unwrap();
        document.get("errors").cloned().unwrap_or_else(|| code.into())
    }

    #[test]
    fn the_field_that_is_wrong_is_named() {
        assert_eq!(errors("name=a&count=x")["count"][0]["code"], "invalid");
        assert_eq!(errors("count=1")["name"][0]["code"], "required");
        assert_eq!(errors("name=a&name=b")["name"][0]["code"], "invalid");
    }

    #[test]
    fn what_is_escaped_is_utf8_too() {
        assert_eq!(errors("name=%ff"), "not_utf8");
        assert_eq!(errors("name=%D0"), "not_utf8");
        assert_eq!(errors("name=a%00b"), "bad_request");
        let asked: Asked = decode(b"name=%D0%B0+%zz%&count=3", "query").unwrap();
        assert_eq!((asked.name.as_str(), asked.count), ("\u{430} %zz%", Some(3)));
    }
}
