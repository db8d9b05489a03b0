//! `Json<T>`: our own, so that every bad body becomes a problem with a code.
//!
//! Fields are parsed into types that hold only what is valid (an address, a password), so that a refusal of
//! one names its field and no handler checks again.

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{FromRequest, Request};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::code::Code;
use super::problem::Problem;
use super::scan::{Finding, MAX_DEPTH, scan};

/// A JSON body, in or out.
#[derive(Debug, Clone, Copy)]
pub struct Json<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        if !is_json(request.headers()) {
            return Err(
                Problem::new(Code::MediaTypeUnsupported).detail("Send Content-Type: application/json.")
            );
        }
        let body = Bytes::from_request(request, state)
            .await
            .map_err(|e| body_problem(&e))?;
        parse(&body).map(Self)
    }
}

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        axum::Json(self.0).into_response()
    }
}

/// Parse a body that has already been read.
pub(crate) fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    if std::str::from_utf8(body).is_err() {
        return Err(Problem::new(Code::NotUtf8));
    }
    match scan(body) {
        Finding::Fine => {}
        Finding::TooDeep => {
            return Err(Problem::new(Code::JsonTooDeep)
                .detail(format!("The body is nested more than {MAX_DEPTH} deep.")));
        }
        Finding::Surrogate => {
            return Err(
                Problem::new(Code::JsonMalformed).detail("Half of a surrogate pair stands in a text.")
            );
        }
        Finding::Nul => {
            return Err(
                Problem::new(Code::JsonMalformed).detail("The character U+0000 may not stand in a text.")
            );
        }
    }
    // serde takes a list for a struct, its items for the fields in order: nobody means that.
    let first = body.iter().find(|byte| !byte.is_ascii_whitespace());
    if first.is_some_and(|byte| *byte != b'{') {
        return Err(match serde_json::from_slice::<serde::de::IgnoredAny>(body) {
            Ok(_) => Problem::field("body", "wrong_type", "Expected an object."),
            Err(error) => malformed(&error),
        });
    }
    serde_json::from_slice(body).map_err(|_| explain::<T>(body))
}

/// Parse again, slower, to learn which field was at fault.
fn explain<T: DeserializeOwned>(body: &[u8]) -> Problem {
    let mut parser = serde_json::Deserializer::from_slice(body);
    match serde_path_to_error::deserialize::<_, T>(&mut parser) {
        // The first field is fine and something follows the end of the document.
        Ok(_) => Problem::new(Code::JsonMalformed).detail("Something follows the end of the JSON text."),
        Err(error) => {
            let inner = error.inner();
            if inner.is_data() {
                field_problem(&error.path().to_string(), &inner.to_string())
            } else {
                malformed(inner)
            }
        }
    }
}

fn malformed(error: &serde_json::Error) -> Problem {
    Problem::new(Code::JsonMalformed).detail(format!(
        "The body is not JSON: line {}, column {}.",
        error.line(),
        error.column()
    ))
}

/// A problem for the field at `path`. A missing field is reported by serde at its parent, by name.
fn field_problem(path: &str, message: &str) -> Problem {
    // serde_json adds " at line 1 column 2", which helps nobody who sent one line.
    let message = message.split(" at line ").next().unwrap_or(message);
    let parent = if path == "." { "" } else { path };
    if let Some(name) = quoted(message, "missing field `") {
        let field = if parent.is_empty() {
            name.to_owned()
        } else {
            format!("{parent}.{name}")
        };
        return Problem::field(field, "required", "This field is required.");
    }
    if let Some(name) = quoted(message, "duplicate field `") {
        return Problem::field(name.to_owned(), "invalid", "This field stands twice.");
    }
    let field = if parent.is_empty() { "body" } else { parent }.to_owned();
    if let Some(rest) = message.strip_prefix("invalid type: ") {
        let expected = rest
            .rsplit_once("expected ")
            .map_or("another type", |(_, expected)| expected);
        return Problem::field(field, "wrong_type", format!("Expected {expected}."));
    }
    let code = if message.starts_with("too long") {
        "too_long"
    } else {
        "invalid"
    };
    Problem::field(field, code, sentence(message))
}

fn quoted<'a>(message: &'a str, start: &str) -> Option<&'a str> {
    message.strip_prefix(start)?.split('`').next()
}

/// Errors of types begin small and end without a stop, as is the custom; a person reads a sentence.
pub(crate) fn sentence(message: &str) -> String {
    let mut letters = message.chars();
    let first: String = letters
        .next()
        .map(|c| c.to_uppercase().collect())
        .unwrap_or_default();
    let stop = if message.ends_with('.') { "" } else { "." };
    format!("{first}{}{stop}", letters.as_str())
}

/// The problem of a body that could not be read at all.
pub(crate) fn body_problem(rejection: &BytesRejection) -> Problem {
    if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
        Problem::new(Code::BodyTooLarge)
    } else {
        Problem::new(Code::BadRequest).detail("The body did not arrive whole.")
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let Some(value) = headers.get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok()) else {
        return false;
    };
    let essence = value
        .split(';')
        .next()
        .unwrap_or(value)
        .trim()
        .to_ascii_lowercase();
    essence == "application/json" || (essence.starts_with("application/") && essence.ends_with("+json"))
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    struct Inner {
        #[serde(rename = "list")]
        _list: Vec<u8>,
    }
    #[derive(Debug, Deserialize)]
    struct Body {
        #[serde(rename = "name")]
        _name: String,
        #[serde(rename = "inner")]
        _inner: Option<Inner>,
    }

    fn refused(body: &[u8]) -> (String, serde_json::Value) {
        let problem = parse::<Body>(body).unwrap_err();
        let code = problem.code().as_str().to_owned();
        let response = problem.into_response();
        let bytes = futures_util::FutureExt::now_or_never(axum::body::to_bytes(response.into_body(), 9999));
        (code, serde_json::from_slice(&bytes.unwrap().unwrap()).unwrap())
    }

    #[test]
    fn each_kind_of_bad_body_has_its_code_and_names_its_field() {
        let (code, document) = refused(b"{}");
        assert_eq!(
            (code.as_str(), &document["errors"]["name"][0]["code"]),
            ("validation_failed", &"required".into())
        );
        let (_, document) = refused(br#"{"name": 3}"#);
        assert_eq!(document["errors"]["name"][0]["message"], "Expected a string.");
        let (_, document) = refused(br#"{"name": "a", "inner": {"list": [1, "x"]}}"#);
        assert_eq!(document["errors"]["inner.list[1]"][0]["code"], "wrong_type");
        let (_, document) = refused(br#"{"name": "a", "inner": {}}"#);
        assert_eq!(document["errors"]["inner.list"][0]["code"], "required");
        assert_eq!(
            refused(br#" ["a", {"list": []}]"#).1["errors"]["body"][0]["code"],
            "wrong_type"
        );
        assert_eq!(refused(br#""a""#).1["errors"]["body"][0]["code"], "wrong_type");
        assert_eq!(refused(br#"{"name": "a""#).0, "json_malformed");
        assert_eq!(refused(br#"{"name": "a"} x"#).0, "json_malformed");
        assert_eq!(refused(br#"{"name": "\u0000"}"#).0, "json_malformed");
        assert_eq!(refused(b"{\"name\": \"\xff\"}").0, "not_utf8");
        assert_eq!(refused("[".repeat(100_000).as_bytes()).0, "json_too_deep");
        assert_eq!(refused(b"").0, "json_malformed");
    }
}
