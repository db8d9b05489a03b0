//! Ask for a link to choose another password.

use axum::extract::State;
use axum::http::StatusCode;

use super::email::Email;
use super::jobs::{self, Wanted};
use super::register::Accepted;
use super::resend::ByEmail;
use crate::app::App;
use crate::http::{Client, Json, Problem, ProblemDocument};

/// Ask for a link to choose another password. Always 202; a letter comes if there is such an account.
#[utoipa::path(post, path = "/api/users/password/forgot", tag = "users", request_body = ByEmail, responses(
    (status = 202, body = Accepted),
    (status = 429, description = "`rate_limited`", body = ProblemDocument, content_type = "application/problem+json")))]
pub async fn forgot(
    State(app): State<App>,
    client: Client,
    Json(body): Json<ByEmail>,
) -> Result<(StatusCode, Json<Accepted>), Problem> {
    ask(&app, client, &body.email).await?;
    Ok(Accepted::answer())
}

/// Ask, as the API and the page do.
pub(crate) async fn ask(app: &App, client: Client, email: &Email) -> Result<(), Problem> {
    jobs::ask_for_letter(app, client, email, Wanted::PasswordReset).await
}
