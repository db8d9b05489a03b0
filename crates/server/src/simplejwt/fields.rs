//! Requests as Django REST framework takes them apart, with what it says of those that it can't.

use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use axum::http::{HeaderMap, Method, StatusCode, header};
use secrecy::SecretString;

use super::answer::Refusal;
use super::value::{Text, Value};
use super::{form, multipart, python_json};

/// What stands in the body.
pub(super) struct Fields(Value);

/// What somebody wants of a view.
pub(super) enum Wish {
    /// To know what it takes: `OPTIONS`.
    Metadata,
    /// That it does what it is there for.
    Post(Fields),
}

/// Takes the request apart, in Django's order: what is accepted, the method, the body.
pub(super) async fn of(request: Request) -> Result<Wish, Refusal> {
    let format = asked_format(request.uri().query().unwrap_or_default())?;
    if !is_accepted(format, request.headers()) {
        let text = "Could not satisfy the request Accept header.";
        return Err(Refusal::Request(StatusCode::NOT_ACCEPTABLE, text.to_owned()));
    }
    if request.method() == Method::OPTIONS {
        return Ok(Wish::Metadata);
    }
    if request.method() != Method::POST {
        let text = format!("Method \"{}\" not allowed.", request.method());
        return Err(Refusal::Request(StatusCode::METHOD_NOT_ALLOWED, text));
    }
    let kind = request
        .headers()
        .get(header::CONTENT_TYPE)
        .map(|kind| String::from_utf8_lossy(kind.as_bytes()).into_owned())
        .unwrap_or_default();
    let body = Bytes::from_request(request, &())
        .await
        .map_err(|error| Refusal::Problem(crate::http::json::body_problem(&error)))?;
    if body.is_empty() {
        return Ok(Wish::Post(Fields(Value::Dict(Vec::new()))));
    }
    let bad = |text: String| Refusal::Request(StatusCode::BAD_REQUEST, text);
    let essence = kind
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase();
    let fields = match essence.as_str() {
        "application/json" => python_json::parse(&body, charset(&kind).as_deref())
            .map_err(|why| bad(format!("JSON parse error - {why}")))?,
        "application/x-www-form-urlencoded" => form::parse(&body),
        "multipart/form-data" => multipart::parse(&kind, &body)
            .map_err(|why| bad(format!("Multipart form parse error - {why}")))?,
        _ => {
            let text = format!("Unsupported media type \"{kind}\" in request.");
            return Err(Refusal::Request(StatusCode::UNSUPPORTED_MEDIA_TYPE, text));
        }
    };
    Ok(Wish::Post(Fields(fields)))
}

/// What may be answered with.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Format {
    /// Nothing was said.
    Any,
    Json,
    /// Django's pages for people, in whose place JSON comes.
    Page,
}

/// `?format=`, which goes before the header.
fn asked_format(query: &str) -> Result<Format, Refusal> {
    let named = form_urlencoded::parse(query.as_bytes()).filter(|(name, _)| name == "format");
    match named.map(|(_, value)| value).last().as_deref() {
        None | Some("") => Ok(Format::Any),
        Some("json") => Ok(Format::Json),
        Some("api") => Ok(Format::Page),
        Some(_) => Err(Refusal::Request(StatusCode::NOT_FOUND, "Not found.".to_owned())),
    }
}

/// JSON, and the pages that Django shows people and we don't.
fn is_accepted(format: Format, headers: &HeaderMap) -> bool {
    let mut asked = headers.get_all(header::ACCEPT).iter().peekable();
    if asked.peek().is_none() {
        return true;
    }
    let fits = |range: &str| {
        let range = range
            .split(';')
            .next()
            .unwrap_or_default()
            .trim()
            .to_ascii_lowercase();
        match range.as_str() {
            "*/*" => true,
            "application/*" | "application/json" => format != Format::Page,
            "text/*" | "text/html" => format != Format::Json,
            _ => false,
        }
    };
    asked.any(|value| value.to_str().is_ok_and(|value| value.split(',').any(fits)))
}

fn charset(kind: &str) -> Option<String> {
    let parameters = kind.split(';').skip(1);
    let named = parameters.filter_map(|parameter| parameter.split_once('='));
    named
        .filter(|(name, _)| name.trim().eq_ignore_ascii_case("charset"))
        .map(|(_, charset)| charset.trim().trim_matches('"').to_ascii_lowercase())
        .next()
}

impl Fields {
    /// These fields as texts, in this order, each tidied as a `CharField` does; or all that is wrong with them.
    pub(super) fn texts<const N: usize>(&self, names: [&str; N]) -> Result<[SecretString; N], Refusal> {
        let non_field = |text: String| Refusal::Fields(vec![("non_field_errors".to_owned(), vec![text])]);
        let members = match &self.0 {
            Value::Dict(members) => members,
            Value::Null => return Err(non_field("No data provided".to_owned())),
            other => {
                let kind = other.kind();
                return Err(non_field(format!(
                    "Invalid data. Expected a dictionary, but got {kind}."
                )));
            }
        };
        let mut wrong = Vec::new();
        let texts = names.map(|name| {
            // What stands twice counts as it stands last.
            let value = members
                .iter()
                .rev()
                .find(|(own, _)| own == name)
                .map(|(_, value)| value);
            char_field(value).unwrap_or_else(|errors| {
                wrong.push((name.to_owned(), errors));
                String::new()
            })
        });
        if wrong.is_empty() {
            Ok(texts.map(SecretString::from))
        } else {
            Err(Refusal::Fields(wrong))
        }
    }
}

fn char_field(value: Option<&Value>) -> Result<String, Vec<String>> {
    let one = |text: &str| Err(vec![text.to_owned()]);
    let text = match value {
        None => return one("This field is required."),
        Some(Value::Null) => return one("This field may not be null."),
        Some(Value::Text(text)) => text.clone(),
        Some(Value::Int(number) | Value::Float(number)) => Text {
            text: number.clone(),
            surrogate: None,
        },
        Some(Value::Bool | Value::List | Value::Dict(_) | Value::File) => return one("Not a valid string."),
    };
    // What Python's `strip` takes off: white space, and four separators that Unicode does not call so.
    let tidy = text
        .text
        .trim_matches(|c: char| c.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&c));
    if tidy.is_empty() && text.surrogate.is_none() {
        return one("This field may not be blank.");
    }
    let mut wrong = Vec::new();
    if tidy.contains('\0') {
        wrong.push("Null characters are not allowed.".to_owned());
    }
    if let Some(half) = text.surrogate {
        wrong.push(format!("Surrogate characters are not allowed: U+{half:X}."));
    }
    if wrong.is_empty() {
        Ok(tidy.to_owned())
    } else {
        Err(wrong)
    }
}
