//! `POST /oauth/introspect`: is this token good (RFC 7662).

use axum::extract::State;
use gatepost_tokens::{Access, AnyToken, Purpose, Refused};
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::client::Client;
use super::error::{OAuthError, OAuthErrorDocument};
use super::form::TokenForm;
use crate::app::App;
use crate::http::Json;
use crate::service::api_key::TokensVerify;

/// What can be said of a token; of one that is not good, nothing but that (RFC 7662, 2.2).
#[derive(Debug, Default, Serialize, ToSchema)]
pub struct Introspection {
    /// Whether it is good now. If not, nothing else is here.
    active: bool,
    /// `Bearer` for an access token, else `N_A` (RFC 8693, 2.2.1): it opens no resource.
    #[serde(skip_serializing_if = "Option::is_none")]
    token_type: Option<&'static str>,
    /// What it is for: `access`, `refresh`, `activate`...
    #[serde(skip_serializing_if = "Option::is_none")]
    purpose: Option<String>,
    /// Whose it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    sub: Option<String>,
    /// Who made it.
    #[serde(skip_serializing_if = "Option::is_none")]
    iss: Option<String>,
    /// For whom.
    #[serde(skip_serializing_if = "Option::is_none")]
    aud: Option<String>,
    /// When it was made, in seconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    iat: Option<i64>,
    /// From which second on it is dead.
    #[serde(skip_serializing_if = "Option::is_none")]
    exp: Option<i64>,
    /// Its identity.
    #[serde(skip_serializing_if = "Option::is_none")]
    jti: Option<String>,
    /// Its session.
    #[serde(skip_serializing_if = "Option::is_none")]
    sid: Option<String>,
    /// The claims that were added when it was made.
    #[serde(skip_serializing_if = "Map::is_empty")]
    #[schema(value_type = Option<Object>)]
    claims: Map<String, Value>,
}

/// Introspect a token (RFC 7662)
///
/// Signature, time, use and revocation are checked; nothing is used up, and a one-time token that is introspected
/// works afterwards. Whatever is not good is `{"active": false}`, without a reason. Takes the scope `tokens:verify`.
#[utoipa::path(
    post, path = "/oauth/introspect", tag = "tokens", operation_id = "introspect_token",
    request_body(content = TokenForm, content_type = "application/x-www-form-urlencoded"),
    responses(
        (status = 200, description = "Whether it is good, and what it says", body = Introspection),
        (status = 400, description = "`invalid_request`", body = OAuthErrorDocument),
        (status = 401, description = "`invalid_client`", body = OAuthErrorDocument),
        (status = 403, description = "`insufficient_scope`", body = OAuthErrorDocument),
        (status = 503, description = "`temporarily_unavailable`: whether it is good is not known", body = OAuthErrorDocument),
    ),
    security(("api_key" = []), ("api_key_basic" = []))
)]
pub async fn introspect(
    State(app): State<App>,
    _client: Client<TokensVerify>,
    form: TokenForm,
) -> Result<Json<Introspection>, OAuthError> {
    match app.tokens.validate_any(form.token.expose()).await {
        Ok(token) => {
            if let Some(cache) = app.cache.as_ref().filter(|_| token.purpose.name == Access::NAME) {
                cache.vouch(&token);
            }
            Ok(Json(said(&app, token)))
        }
        Err(refused @ Refused::Unavailable(_)) => Err(refused.into()),
        Err(_) => Ok(Json(Introspection::default())),
    }
}

fn said(app: &App, token: AnyToken) -> Introspection {
    let AnyToken {
        purpose,
        claims,
        extra,
    } = token;
    let opens = purpose.name == Access::NAME;
    Introspection {
        active: true,
        token_type: Some(if opens { "Bearer" } else { "N_A" }),
        purpose: Some(purpose.name),
        sub: Some(claims.subject),
        iss: Some(app.config.tokens.issuer.clone()),
        aud: Some(app.config.tokens.audience.clone()),
        iat: Some(claims.issued_at),
        exp: Some(claims.expires_at),
        jti: Some(claims.jti),
        sid: claims.session.map(|session| session.sid),
        claims: extra,
    }
}
