//! `GET /api/service/users/{id}`.

use axum::extract::State;

use super::existing;
use crate::accounts::User;
use crate::app::App;
use crate::http::{Json, Problem, UserIn};
use crate::service::api_key::{Allowed, UsersRead};

/// Show an account
///
/// Takes the scope `users:read`.
#[utoipa::path(
    get, path = "/api/service/users/{id}", tag = "service", operation_id = "service_show_user",
    params(("id" = String, Path, description = "The account's id")),
    responses(
        (status = 200, description = "The account", body = User),
        (status = "4XX", description = "Refused, or no such account", body = crate::http::problem::ProblemDocument, content_type = "application/problem+json"),
    ),
    security(("api_key" = []))
)]
pub async fn show(
    State(app): State<App>,
    _allowed: Allowed<UsersRead>,
    UserIn(id): UserIn,
) -> Result<Json<User>, Problem> {
    let row = app
        .store
        .read("show_user", move |tx| Box::pin(existing(tx, id)))
        .await?;
    Ok(Json(User::from(&row)))
}
