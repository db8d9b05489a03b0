//! Ask for the activation letter again.

use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use utoipa::ToSchema;

use super::email::Email;
use super::jobs::{self, Job, Wanted};
use super::register::Accepted;
use crate::app::App;
use crate::http::{Client, Json, Problem, ProblemDocument};
use crate::limits;

/// Whose letter.
#[derive(Debug, Deserialize, ToSchema)]
pub struct ByEmail {
    /// The address.
    pub email: Email,
}

/// Ask for the activation letter again. Always 202; a letter comes if a registration waits for it.
#[utoipa::path(post, path = "/api/users/activate/resend", tag = "users", request_body = ByEmail, responses(
    (status = 202, body = Accepted),
    (status = 429, description = "`rate_limited`", body = ProblemDocument, content_type = "application/problem+json")))]
pub async fn resend(
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
        wanted: Wanted::ActivationAgain,
    };
    jobs::enqueue(app, &job).await?;
    Ok(())
}
