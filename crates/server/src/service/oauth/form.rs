//! The form that both endpoints take: a token, and perhaps what kind it is.

use std::borrow::Cow;

use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use axum::http::header;
use serde::Deserialize;
use utoipa::ToSchema;

use super::error::{Kind, OAuthError};
use crate::http::token::RawToken;

/// What is asked about.
#[derive(Debug, Deserialize, ToSchema)]
pub struct TokenForm {
    /// The token.
    #[schema(value_type = String)]
    pub(super) token: RawToken,
    /// `access_token` or `refresh_token`. Not needed: a token says what it is.
    #[serde(rename = "token_type_hint")]
    _token_type_hint: Option<String>,
}

impl<S: Send + Sync> FromRequest<S> for TokenForm {
    type Rejection = OAuthError;

    async fn from_request(request: Request, state: &S) -> Result<Self, OAuthError> {
        let wrong = |text: &'static str| OAuthError::new(Kind::InvalidRequest, text);
        let kind = request
            .headers()
            .get(header::CONTENT_TYPE)
            .and_then(|kind| kind.to_str().ok())
            .and_then(|kind| kind.split(';').next())
            .unwrap_or_default();
        if !kind
            .trim()
            .eq_ignore_ascii_case("application/x-www-form-urlencoded")
        {
            return Err(wrong("Send Content-Type: application/x-www-form-urlencoded."));
        }
        let body = Bytes::from_request(request, state)
            .await
            .map_err(|_| wrong("The body is larger than 64 KiB, or did not arrive whole."))?;
        let (mut token, mut hint) = (None, None);
        for (name, value) in pairs(&body) {
            let slot = match &*name {
                "token" => &mut token,
                "token_type_hint" => &mut hint,
                // RFC 6749 3.2: what is not known is ignored.
                _ => continue,
            };
            if slot.replace(value.into_owned()).is_some() {
                return Err(wrong("A parameter stands twice."));
            }
        }
        // RFC 6749 3.2: without a value is as if it were not there.
        match token.filter(|token| !token.is_empty()) {
            Some(token) => Ok(Self {
                token: token.into(),
                _token_type_hint: hint,
            }),
            None => Err(wrong("The parameter `token` is missing.")),
        }
    }
}

/// The pairs of a form. What is asked about is a token, which needs no decoding, and a long one: byte by byte that was a
/// tenth of the whole request.
fn pairs(body: &[u8]) -> impl Iterator<Item = (Cow<'_, str>, Cow<'_, str>)> {
    let ends = memchr::memchr_iter(b'&', body).chain([body.len()]);
    let pairs = ends.scan(0, |start, end| {
        let pair = &body[*start..end];
        *start = end + 1;
        Some(pair)
    });
    pairs.flat_map(|pair| {
        let is_plain = !pair.is_empty() && memchr::memchr2(b'%', b'+', pair).is_none();
        let plain = str::from_utf8(pair)
            .ok()
            .filter(|_| is_plain)
            .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
            .map(|(name, value)| (Cow::Borrowed(name), Cow::Borrowed(value)));
        let encoded = if plain.is_none() { pair } else { &[] };
        plain.into_iter().chain(form_urlencoded::parse(encoded))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_those_of_a_form() {
        for body in [
            "token=abc.def-_&token_type_hint=access_token",
            "token=a%2Eb+c&&=x&y=&z&%74oken=1=2",
            "",
            "&",
            "=",
            "a=%ff\u{fffd}Ж",
        ] {
            let theirs: Vec<_> = form_urlencoded::parse(body.as_bytes()).collect();
            assert_eq!(pairs(body.as_bytes()).collect::<Vec<_>>(), theirs, "{body}");
        }
        let broken = b"token=\xff&a=b";
        let theirs: Vec<_> = form_urlencoded::parse(broken).collect();
        assert_eq!(pairs(broken).collect::<Vec<_>>(), theirs);
    }
}
