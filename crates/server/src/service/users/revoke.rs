//! `POST /api/service/users/{id}/revoke`: everything that an account holds, now.

use axum::extract::State;
use axum::http::StatusCode;

use super::existing;
use crate::accounts::users;
use crate::app::App;
use crate::http::{Problem, UserIn};
use crate::service::api_key::{Allowed, UsersWrite};

/// Revoke everything that an account holds
///
/// Its sessions end and its tokens of every purpose die, on every instance within a second; the account
/// stays, and its owner can log in again. Takes the scope `users:write`.
#[utoipa::path(
    post, path = "/api/service/users/{id}/revoke", tag = "service", operation_id = "service_revoke_user",
    params(("id" = String, Path, description = "The account's id")),
    responses(
        (status = 204, description = "Revoked"),
        (status = "4XX", description = "Refused, or no such account", body = crate::http::problem::ProblemDocument, content_type = "application/problem+json"),
    ),
    security(("api_key" = []))
)]
pub async fn revoke(
    State(app): State<App>,
    allowed: Allowed<UsersWrite>,
    UserIn(id): UserIn,
) -> Result<StatusCode, Problem> {
    let (tokens, actor) = (app.tokens.clone(), allowed.key.actor());
    app.store
        .run_tx("revoke_user", move |tx| {
            let (tokens, actor) = (tokens.clone(), actor.clone());
            Box::pin(async move {
                existing(tx, id).await?;
                users::revoke(tx, &tokens, &actor, &id.to_string()).await?;
                Ok::<_, Problem>(())
            })
        })
        .await?;
    Ok(StatusCode::NO_CONTENT)
}
