//! `DELETE /api/service/users/{id}`.

use axum::extract::State;
use axum::http::StatusCode;

use crate::accounts::users;
use crate::app::App;
use crate::http::{Problem, UserIn};
use crate::service::api_key::{Allowed, UsersWrite};

/// Delete an account
///
/// Its sessions end and its tokens die with it. Takes the scope `users:write`.
#[utoipa::path(
    delete, path = "/api/service/users/{id}", tag = "service", operation_id = "service_delete_user",
    params(("id" = String, Path, description = "The account's id")),
    responses(
        (status = 204, description = "Deleted"),
        (status = "4XX", description = "Refused, or no such account", body = crate::http::problem::ProblemDocument, content_type = "application/problem+json"),
    ),
    security(("api_key" = []))
)]
pub async fn delete(
    State(app): State<App>,
    allowed: Allowed<UsersWrite>,
    UserIn(id): UserIn,
) -> Result<StatusCode, Problem> {
    let (tokens, actor) = (app.tokens.clone(), allowed.key.actor());
    let deleted = app.store.run_tx("delete_user", move |tx| {
        let (tokens, actor) = (tokens.clone(), actor.clone());
        Box::pin(async move { users::delete(tx, &tokens, &actor, id).await })
    });
    if deleted.await? {
        Ok(StatusCode::NO_CONTENT)
    } else {
        Err(Problem::not_found())
    }
}
