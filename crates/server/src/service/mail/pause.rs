//! `POST /api/mail/pause`: let letters wait.

use axum::extract::State;
use gatepost_mail::MailPause;
use gatepost_storage::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{known_template, refused};
use crate::app::App;
use crate::http::{Json, Problem};
use crate::letters;
use crate::service::api_key::{Allowed, MailManage};

/// Bytes of a reason: a sentence or two, for a list.
const MAX_REASON: usize = 1_000;

/// What is to wait.
// A misspelt `template` must not mean all letters.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = PauseMail)]
pub struct Request {
    /// The template whose letters are to wait; without it all letters.
    template: Option<String>,
    /// Why, for whoever wonders later.
    reason: Option<String>,
}

/// Letters that wait.
#[derive(Debug, Serialize, ToSchema)]
pub struct PauseView {
    /// The template whose letters wait; none for all letters.
    template: Option<String>,
    /// Who paused it.
    by: String,
    /// Why, if they said.
    reason: Option<String>,
    /// Since when.
    #[schema(value_type = String, format = DateTime)]
    since: Timestamp,
}

/// All that is paused.
#[derive(Debug, Serialize, ToSchema)]
pub struct Pauses {
    /// All letters first.
    pub items: Vec<PauseView>,
}

impl From<Vec<MailPause>> for Pauses {
    fn from(pauses: Vec<MailPause>) -> Self {
        let view = |pause: MailPause| PauseView {
            template: pause.template,
            by: pause.by,
            reason: pause.reason,
            since: pause.since,
        };
        Self {
            items: pauses.into_iter().map(view).collect(),
        }
    }
}

/// Pause letters
///
/// Those of a template, or all. Every instance obeys within a second; a letter that a mail server is just being
/// given is finished. Letters are taken as before and wait, keep their content, and use up no attempt; what
/// expires meanwhile expires. `/readyz` says `mail_paused`. Takes the scope `mail:manage`.
#[utoipa::path(
    post, path = "/api/mail/pause", tag = "mail", operation_id = "pause_mail", request_body = Request,
    responses(
        (status = 200, description = "All that is paused", body = Pauses),
        (status = "4XX", description = "Refused", body = crate::http::problem::ProblemDocument, content_type = "application/problem+json"),
    ),
    security(("api_key" = []))
)]
pub async fn pause(
    State(app): State<App>,
    allowed: Allowed<MailManage>,
    Json(body): Json<Request>,
) -> Result<Json<Pauses>, Problem> {
    known_template(&app, body.template.as_deref())?;
    if body
        .reason
        .as_ref()
        .is_some_and(|reason| reason.len() > MAX_REASON)
    {
        return Err(Problem::field(
            "reason",
            "too_long",
            "A reason has at most 1,000 bytes.",
        ));
    }
    let paused = letters::pause(&app, body.template, body.reason, &allowed.key.actor()).await;
    Ok(Json(paused.map_err(refused)?.into()))
}
