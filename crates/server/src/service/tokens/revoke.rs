//! `POST /api/tokens/revoke`: one token, or everything that a user holds.

use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use utoipa::ToSchema;

use super::UserId;
use crate::accounts::users;
use crate::app::App;
use crate::auth::trail;
use crate::http::token::RawToken;
use crate::http::{Json, Problem};
use crate::service::api_key::{Allowed, ApiKey, TokensRevoke};

/// What to revoke: exactly one of the two.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = RevokeToken)]
pub struct Request {
    /// One token. A refresh token takes its session with it.
    token: Option<RawToken>,
    /// Everything of every purpose that this user holds.
    #[schema(value_type = Option<String>, min_length = 1, max_length = 255)]
    user_id: Option<UserId>,
}

/// Revoke a token, or all of a user's
///
/// A token that is no token, or is dead already, answers 204 as well: afterwards it is good for nothing
/// (RFC 7009, 2.2). Takes the scope `tokens:revoke`.
#[utoipa::path(
    post, path = "/api/tokens/revoke", tag = "tokens", operation_id = "revoke_tokens", request_body = Request,
    responses(
        (status = 204, description = "Revoked"),
        (status = "4XX", description = "Refused", body = crate::http::problem::ProblemDocument, content_type = "application/problem+json"),
    ),
    security(("api_key" = []))
)]
pub async fn revoke(
    State(app): State<App>,
    allowed: Allowed<TokensRevoke>,
    Json(request): Json<Request>,
) -> Result<StatusCode, Problem> {
    one(&app, &allowed.key, request).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Revokes what one request says.
pub(super) async fn one(app: &App, key: &ApiKey, request: Request) -> Result<(), Problem> {
    match request {
        Request {
            token: Some(token),
            user_id: None,
        } => {
            let (parts, actor) = (app.clone(), key.actor());
            app.store
                .run_tx("revoke_token", move |tx| {
                    let (app, actor, token) = (parts.clone(), actor.clone(), token.clone());
                    Box::pin(async move {
                        Ok::<_, Problem>(trail::revoke_token(&app, tx, &actor, token.expose()).await?)
                    })
                })
                .await?;
        }
        Request {
            token: None,
            user_id: Some(UserId(user_id)),
        } => {
            let (tokens, actor) = (app.tokens.clone(), key.actor());
            app.store
                .run_tx("revoke_user", move |tx| {
                    let (tokens, actor, user_id) = (tokens.clone(), actor.clone(), user_id.clone());
                    Box::pin(async move { users::revoke(tx, &tokens, &actor, &user_id).await })
                })
                .await?;
        }
        _ => {
            return Err(Problem::field(
                "token",
                "invalid",
                "Send either `token` or `user_id`.",
            ));
        }
    }
    Ok(())
}
