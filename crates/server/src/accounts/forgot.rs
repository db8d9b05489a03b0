//! Ask for a link to choose another password.

use axum::extract::State;
use axum::http::StatusCode;

use super::email::Email;
use super::jobs::{self, Job, Wanted};
use super::register::Accepted;
use super::resend::ByEmail;
use crate::app::App;
use crate::http::{Client, Json, Problem, ProblemDocument};
use crate::limits;

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

/// The same work for every address: a row, a commit.
pub async fn ask(app: &App, client: Client, email: &Email) -> Result<(), Problem> {
    limits::letter(app, client, email)?;
    let job = Job {
        email: email.address().clone(),
        requested_at: app.now(),
        wanted: Wanted::PasswordReset,
    };
    jobs::enqueue(app, &job).await?;
    Ok(())
}
