//! `Bearer<P>`: a checked token as an argument of an axum handler.

use axum::extract::{FromRef, FromRequestParts};
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};

use crate::claims::Token;
use crate::error::Refused;
use crate::purpose::Purpose;
use crate::service::TokenService;

/// The token of the `Authorization: Bearer` header (RFC 6750 2.1), checked. Nothing is used up: a one-time token is
/// for [`TokenService::verify`], inside the transaction of what it permits.
///
/// ```no_run
/// use gatepost_tokens::{Access, Bearer, Refused};
///
/// async fn me(Bearer(token): Bearer<Access>) -> String {
///     token.user_id().to_owned()
/// }
/// ```
#[derive(Debug)]
pub struct Bearer<P: Purpose>(pub Token<P>);

/// Why a request was not let in.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BearerRejection {
    /// There is no token, or not one.
    #[error("the request needs an `Authorization: Bearer` header")]
    Missing,
    /// There is one that does not count.
    #[error(transparent)]
    Refused(#[from] Refused),
}

impl<P, S> FromRequestParts<S> for Bearer<P>
where
    P: Purpose,
    S: Send + Sync,
    TokenService: FromRef<S>,
{
    type Rejection = BearerRejection;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Self::Rejection> {
        let raw = bearer(parts).ok_or(BearerRejection::Missing)?;
        Ok(Self(TokenService::from_ref(state).peek::<P>(raw).await?))
    }
}

/// The one token of the one header; its scheme in any case (RFC 9110 11.1).
fn bearer(parts: &Parts) -> Option<&str> {
    let mut headers = parts.headers.get_all(AUTHORIZATION).iter();
    let (Some(header), None) = (headers.next(), headers.next()) else {
        return None;
    };
    let (scheme, token) = header.to_str().ok()?.split_once(' ')?;
    let token = token.trim_matches(' ');
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}

impl IntoResponse for BearerRejection {
    fn into_response(self) -> Response {
        let (status, code) = match &self {
            Self::Missing => (StatusCode::UNAUTHORIZED, "token_missing"),
            Self::Refused(refused) if refused.is_transient() => {
                (StatusCode::SERVICE_UNAVAILABLE, refused.code())
            }
            Self::Refused(refused) => (StatusCode::UNAUTHORIZED, refused.code()),
        };
        let title = status.canonical_reason().unwrap_or_default();
        let body = serde_json::json!({
            "type": "about:blank", "title": title, "status": status.as_u16(), "detail": self.to_string(), "code": code,
        });
        let mut response = (status, body.to_string()).into_response();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        match self {
            Self::Missing => headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer")),
            Self::Refused(Refused::Unavailable(_)) => {
                headers.insert(RETRY_AFTER, HeaderValue::from_static("1"))
            }
            Self::Refused(_) => headers.insert(
                WWW_AUTHENTICATE,
                HeaderValue::from_static(r#"Bearer error="invalid_token""#),
            ),
        };
        response
    }
}
