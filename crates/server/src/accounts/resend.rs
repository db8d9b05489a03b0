//! Ask for the activation letter again.

use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use utoipa::ToSchema;

use super::email::Email;
use super::jobs::{self, Wanted};
use super::register::Accepted;
use crate::app::App;
use crate::http::{Client, Json, Problem, ProblemDocument};

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
    jobs::ask_for_letter(&app, client, &body.email, Wanted::ActivationAgain).await?;
    Ok(Accepted::answer())
}
