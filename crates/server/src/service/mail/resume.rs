//! `POST /api/mail/resume`: let letters go on.

use axum::extract::State;
use serde::Deserialize;
use utoipa::ToSchema;

use super::pause::Pauses;
use super::{known_template, refused};
use crate::app::App;
use crate::http::{Json, Problem};
use crate::letters;
use crate::service::api_key::{Allowed, MailManage};

/// What is to go on.
// A misspelt `template` must not mean all letters.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ResumeMail)]
pub struct Request {
    /// The template whose letters go on; without it everything does, whatever was paused.
    template: Option<String>,
}

/// Resume letters
///
/// Those of a template, or everything that is paused. What waited goes at once. Takes the scope `mail:manage`.
#[utoipa::path(
    post, path = "/api/mail/resume", tag = "mail", operation_id = "resume_mail", request_body = Request,
    responses(
        (status = 200, description = "What is still paused", body = Pauses),
        (status = "4XX", description = "Refused", body = crate::http::problem::ProblemDocument, content_type = "application/problem+json"),
    ),
    security(("api_key" = []))
)]
pub async fn resume(
    State(app): State<App>,
    allowed: Allowed<MailManage>,
    Json(body): Json<Request>,
) -> Result<Json<Pauses>, Problem> {
    known_template(&app, body.template.as_deref())?;
    let resumed = letters::resume(&app, body.template, &allowed.key.actor()).await;
    Ok(Json(resumed.map_err(refused)?.1.into()))
}
