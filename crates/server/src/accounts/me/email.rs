//! Ask for another address for one's own account.

use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use utoipa::ToSchema;

use super::{confirm, row};
use crate::accounts::jobs::{self, Job, Wanted};
use crate::accounts::register::Accepted;
use crate::accounts::{Email, Password};
use crate::app::App;
use crate::config::UserSource;
use crate::http::bearer::Bearer;
use crate::http::{Client, Code, Json, Problem, ProblemDocument};
use crate::limits;

/// The address to be.
#[derive(Debug, Deserialize, ToSchema)]
pub struct NewEmail {
    /// The address that the account is to have.
    pub email: Email,
    /// Your password.
    pub password: Password,
}

/// Ask for another address. A letter goes to it, whose link confirms it; another one tells the address that the account
/// has. The answer is the same whether or not the new address has an account: then no link is sent.
#[utoipa::path(post, path = "/api/users/me/email", tag = "users", request_body = NewEmail, security(("access" = [])), responses(
    (status = 202, body = Accepted),
    (status = 401, description = "`invalid_credentials`, `credentials_missing`, `token_*`", body = ProblemDocument, content_type = "application/problem+json"),
    (status = 409, description = "`accounts_elsewhere`", body = ProblemDocument, content_type = "application/problem+json"),
    (status = 422, description = "`validation_failed`: no address, or the one that the account has", body = ProblemDocument, content_type = "application/problem+json"),
    (status = 429, description = "`rate_limited`", body = ProblemDocument, content_type = "application/problem+json")))]
pub async fn email(
    State(app): State<App>,
    bearer: Bearer,
    client: Client,
    Json(body): Json<NewEmail>,
) -> Result<(StatusCode, Json<Accepted>), Problem> {
    ask(&app, client, &bearer, &body.email, &body.password).await?;
    Ok(Accepted::answer())
}

/// Ask, as the API and the page do: the same work for every address.
pub async fn ask(
    app: &App,
    client: Client,
    bearer: &Bearer,
    email: &Email,
    password: &Password,
) -> Result<(), Problem> {
    if app.config.accounts.source == UserSource::Django {
        return Err(Problem::new(Code::AccountsElsewhere));
    }
    limits::letter(app, client, email).await?;
    let user = row(app, bearer).await?;
    confirm(app, client, &user, password).await?;
    if email.address().as_str() == user.email {
        return Err(Problem::field(
            "email",
            "unchanged",
            "This is the address of the account already.",
        ));
    }
    let job = Job {
        email: email.address().clone(),
        requested_at: app.now(),
        wanted: Wanted::EmailChange { user_id: user.id },
    };
    jobs::enqueue(app, &job).await?;
    Ok(())
}
