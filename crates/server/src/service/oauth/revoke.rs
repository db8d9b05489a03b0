//! `POST /oauth/revoke`: make a token good for nothing (RFC 7009).

use axum::extract::State;
use axum::http::StatusCode;

use super::client::Client;
use super::error::{Kind, OAuthError, OAuthErrorDocument};
use super::form::TokenForm;
use crate::app::App;
use crate::auth::trail;
use crate::service::api_key::{PREFIX, TokensRevoke};

/// Revoke a token (RFC 7009)
///
/// A refresh token takes its session and all its access tokens with it. What is no token, or dead already, is answered
/// in the same way: afterwards it is good for nothing. Takes the scope `tokens:revoke`, for tokens of any user.
#[utoipa::path(
    post, path = "/oauth/revoke", tag = "tokens", operation_id = "revoke_token",
    request_body(content = TokenForm, content_type = "application/x-www-form-urlencoded"),
    responses(
        (status = 200, description = "It is good for nothing"),
        (status = 400, description = "`invalid_request`; `unsupported_token_type` for an API key", body = OAuthErrorDocument),
        (status = 401, description = "`invalid_client`", body = OAuthErrorDocument),
        (status = 403, description = "`insufficient_scope`", body = OAuthErrorDocument),
        (status = 503, description = "`temporarily_unavailable`: ask again after `Retry-After`", body = OAuthErrorDocument),
    ),
    security(("api_key" = []), ("api_key_basic" = []))
)]
pub async fn revoke(
    State(app): State<App>,
    client: Client<TokensRevoke>,
    form: TokenForm,
) -> Result<StatusCode, OAuthError> {
    let TokenForm { token, .. } = form;
    if token.expose().starts_with(PREFIX) {
        return Err(OAuthError::new(
            Kind::UnsupportedTokenType,
            "This is an API key: `gatepost apikey revoke` ends it.",
        ));
    }
    let (parts, actor) = (app.clone(), client.key.actor());
    app.store
        .run_tx("revoke_token", move |tx| {
            let (app, actor, token) = (parts.clone(), actor.clone(), token.clone());
            Box::pin(async move { trail::revoke_token(&app, tx, &actor, token.expose()).await })
        })
        .await?;
    Ok(StatusCode::OK)
}
