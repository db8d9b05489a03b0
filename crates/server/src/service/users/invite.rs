//! `POST /api/service/users/{id}/invite`: the invitation once more.

use axum::extract::State;
use axum::http::StatusCode;

use super::existing;
use crate::accounts::invite as invitation;
use crate::app::App;
use crate::http::{Problem, UserIn};
use crate::service::api_key::{Allowed, UsersWrite};

/// Send an invitation again
///
/// A letter with a new link; the links of the ones before it are void when it is sent. Takes the scope `users:write`.
#[utoipa::path(
    post, path = "/api/service/users/{id}/invite", tag = "service", operation_id = "service_invite_user",
    params(("id" = String, Path, description = "The account's id")),
    responses(
        (status = 202, description = "A letter is on its way"),
        (status = "4XX", description = "Refused, or no such account; `conflict`: it was opened already; `registration_closed`", body = crate::http::problem::ProblemDocument, content_type = "application/problem+json"),
    ),
    security(("api_key" = []))
)]
pub async fn invite(
    State(app): State<App>,
    allowed: Allowed<UsersWrite>,
    UserIn(id): UserIn,
) -> Result<StatusCode, Problem> {
    invitation::allowed(&app)?;
    let (parts, actor) = (app.clone(), allowed.key.actor());
    app.store
        .run_tx("invite_again", move |tx| {
            let (app, actor) = (parts.clone(), actor.clone());
            Box::pin(async move {
                let user = existing(tx, id).await?;
                invitation::send(&app, tx, &actor, &user).await
            })
        })
        .await?;
    Ok(StatusCode::ACCEPTED)
}
