//! Ask for an account.

use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::email::Email;
use super::jobs::{self, Job, Wanted};
use super::password::Password;
use super::profile::{LocaleTag, Profile};
use crate::app::App;
use crate::config::Registration;
use crate::http::{Client, Code, Json, Problem, ProblemDocument};
use crate::limits;

/// Who wants an account.
#[derive(Debug, Deserialize, ToSchema)]
pub struct NewRegistration {
    /// Where the activation letter goes.
    pub email: Email,
    /// The password of the account to be.
    pub password: Password,
    /// The language of letters; `mail.locale` if it is missing.
    #[serde(default)]
    pub locale: Option<LocaleTag>,
    /// Whatever the application wants to keep with the account, at most 8 KiB.
    #[serde(default)]
    pub profile: Option<Profile>,
}

/// It was heard. Says the same whatever will come of it.
#[derive(Debug, Serialize, ToSchema)]
pub struct Accepted {
    /// Always `accepted`.
    status: &'static str,
}

impl Accepted {
    /// The one answer.
    pub fn answer() -> (StatusCode, Json<Self>) {
        (StatusCode::ACCEPTED, Json(Self { status: "accepted" }))
    }
}

/// Ask for an account. The answer is the same whether or not the address is known; its owner gets a letter.
#[utoipa::path(post, path = "/api/users", tag = "users", request_body = NewRegistration, responses(
    (status = 202, body = Accepted),
    (status = 403, description = "`registration_closed`, `invitation_needed`", body = ProblemDocument, content_type = "application/problem+json"),
    (status = 422, description = "`validation_failed`, `password_too_short`, `password_common`, `password_contextual`", body = ProblemDocument, content_type = "application/problem+json"),
    (status = 429, description = "`rate_limited`", body = ProblemDocument, content_type = "application/problem+json")))]
pub async fn register(
    State(app): State<App>,
    client: Client,
    Json(new): Json<NewRegistration>,
) -> Result<(StatusCode, Json<Accepted>), Problem> {
    ask(&app, client, new).await?;
    Ok(Accepted::answer())
}

/// Whether anybody may register; else the reason.
pub fn allowed(app: &App) -> Result<(), Problem> {
    match app.config.accounts.registration {
        Registration::Open => Ok(()),
        Registration::Invite => Err(Problem::new(Code::InvitationNeeded)),
        Registration::Closed => Err(Problem::new(Code::RegistrationClosed)),
    }
}

/// The same work for every address: a hash, a row, a commit.
pub async fn ask(app: &App, client: Client, new: NewRegistration) -> Result<(), Problem> {
    allowed(app)?;
    limits::letter(app, client, &new.email).await?;
    let profile = new.profile.unwrap_or_default();
    let mut about = profile.texts();
    about.push(new.email.address().as_str());
    app.policy.check(&new.password, &about)?;
    let password = app.hasher.hash(&new.password).await?;
    let locale = new
        .locale
        .as_ref()
        .map_or(app.config.mail.locale.as_str(), LocaleTag::as_str)
        .to_owned();
    let job = Job {
        email: new.email.address().clone(),
        requested_at: app.now(),
        wanted: Wanted::Registration {
            password,
            locale,
            profile: profile.into_value(),
        },
    };
    jobs::enqueue(app, &job).await?;
    Ok(())
}
