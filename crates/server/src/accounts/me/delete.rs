//! Delete one's own account.

use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use serde::Deserialize;
use utoipa::ToSchema;

use super::{confirm, gone, row};
use crate::accounts::Password;
use crate::accounts::user::User;
use crate::accounts::users;
use crate::app::App;
use crate::auth::refresh_cookie;
use crate::http::bearer::Bearer;
use crate::http::{Client, Json, Problem, ProblemDocument};

/// The password again.
#[derive(Debug, Deserialize, ToSchema)]
pub struct Farewell {
    /// Your password.
    pub password: Password,
}

/// Delete your account, with everything that stands in it. Every token of yours stops working at once.
#[utoipa::path(delete, path = "/api/users/me", tag = "users", request_body = Farewell, security(("access" = [])), responses(
    (status = 200, description = "The account as it was", body = User),
    (status = 401, description = "`invalid_credentials`, `credentials_missing`, `token_*`", body = ProblemDocument, content_type = "application/problem+json"),
    (status = 429, description = "`rate_limited`", body = ProblemDocument, content_type = "application/problem+json")))]
pub async fn delete(
    State(app): State<App>,
    bearer: Bearer,
    client: Client,
    Json(body): Json<Farewell>,
) -> Result<Response, Problem> {
    let user = row(&app, &bearer).await?;
    confirm(&app, client, &user, &body.password).await?;
    let (parts, id, actor) = (app.clone(), bearer.user_id, bearer.actor());
    let deleted = app
        .store
        .run_tx("delete_me", move |tx| {
            let (app, actor) = (parts.clone(), actor.clone());
            Box::pin(async move { users::delete(tx, &app.tokens, &actor, id).await })
        })
        .await?;
    if deleted {
        let mut response = Json(User::from(&user)).into_response();
        refresh_cookie::clear(&app, &mut response);
        Ok(response)
    } else {
        Err(gone())
    }
}
