//! Refresh: `TokenRefreshView` and `TokenRefreshSlidingView`.

use gatepost_tokens::NewSession;
use gatepost_tokens::simplejwt::TokenError;
use secrecy::ExposeSecret as _;
use serde::Serialize;
use utoipa::ToSchema;

use super::answer::{Refusal, body};
use super::described::Refused;
use super::fields::Fields;
use crate::app::App;
use crate::auth::refresh::exchange;
use crate::http::token::RawToken;
use crate::http::{Client, Code};
use crate::limits;

/// What a refresh gives.
#[derive(Serialize, ToSchema)]
pub(super) struct Renewed<'a> {
    access: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh: Option<&'a str>,
}

#[derive(Serialize)]
struct Slid<'a> {
    token: &'a str,
}

/// Refresh as at `TokenRefreshView`
///
/// A new access token, and with `simplejwt.rotate_refresh_tokens` a new refresh token in the place of this one.
///
/// Only with simplejwt's dialect, and under each prefix of `simplejwt.prefixes`: see the tag.
#[utoipa::path(post, path = "/api/token/refresh/", tag = "simplejwt", operation_id = "simplejwt_refresh",
    request_body(content((super::described::RefreshToken = "application/json"), (super::described::RefreshToken = "application/x-www-form-urlencoded"), (super::described::RefreshToken = "multipart/form-data"))),
    responses(
    (status = 200, body = Renewed),
    (status = 400, description = "A token that is missing or blank", body = HashMap<String, Vec<String>>),
    (status = 401, description = "The token does not count: `token_not_valid`", body = Refused),
    (status = 429, description = "Too many; `Retry-After` says when", body = Refused)))]
pub(super) async fn refresh(
    app: &App,
    client: Client,
    session: NewSession,
    fields: &Fields,
) -> Result<String, Refusal> {
    let [token] = fields.texts(["refresh"])?;
    if !app.tokens.is_simplejwt(token.expose_secret()) {
        return refresh_ours(app, client, token.expose_secret()).await;
    }
    limits::token(app, client).await?;
    let parts = app.clone();
    let renewed = app
        .store
        .run_tx("simplejwt_refresh", move |tx| {
            let (app, token, session) = (parts.clone(), token.clone(), session.clone());
            Box::pin(async move {
                let renewed = app.tokens.renew_in(tx, token.expose_secret(), session).await?;
                Ok::<_, Refusal>(renewed)
            })
        })
        .await?;
    app.tokens.ripe_renewed(&renewed).await;
    body(&Renewed {
        access: &renewed.access,
        refresh: renewed.refresh.as_deref(),
    })
}

/// One of our own, by our own rules: a replaced one that comes back ends its session, and its owner is told.
async fn refresh_ours(app: &App, client: Client, token: &str) -> Result<String, Refusal> {
    let grant = exchange(app, client, &RawToken::from(token.to_owned()))
        .await
        .map_err(|problem| match problem.code() {
            Code::TokenExpired => Refusal::Token(TokenError::Expired),
            Code::TokenUsed | Code::TokenRevoked => Refusal::Token(TokenError::Blacklisted),
            Code::TokenWrongPurpose => Refusal::Token(TokenError::WrongType),
            Code::TokenMalformed => Refusal::Token(TokenError::Invalid),
            _ => Refusal::Problem(problem),
        })?;
    body(&Renewed {
        access: &grant.access,
        refresh: Some(&grant.refresh),
    })
}

/// The same sliding token with new times.
pub(super) async fn slide(app: &App, client: Client, fields: &Fields) -> Result<String, Refusal> {
    let [token] = fields.texts(["token"])?;
    limits::token(app, client).await?;
    let parts = app.clone();
    let slid = app
        .store
        .read("simplejwt_slide", move |tx| {
            Box::pin(async move {
                let slid = parts.tokens.slide_in(tx, token.expose_secret()).await?;
                Ok::<_, Refusal>(slid)
            })
        })
        .await?;
    body(&Slid { token: &slid })
}
