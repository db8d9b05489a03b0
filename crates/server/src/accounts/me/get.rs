//! Look at one's own account.

use axum::extract::State;

use super::row;
use crate::accounts::user::User;
use crate::app::App;
use crate::http::bearer::Bearer;
use crate::http::{Json, Problem, ProblemDocument};

/// Your account.
#[utoipa::path(get, path = "/api/users/me", tag = "users", security(("access" = [])), responses(
    (status = 200, body = User),
    (status = 401, description = "`credentials_missing`, `token_*`", body = ProblemDocument, content_type = "application/problem+json")))]
pub async fn get(State(app): State<App>, bearer: Bearer) -> Result<Json<User>, Problem> {
    Ok(Json(User::from(&row(&app, &bearer).await?)))
}
