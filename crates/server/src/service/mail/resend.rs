//! `POST /api/mail/{id}/resend`: send a letter again that has ended.

use axum::extract::State;
use axum::http::StatusCode;

use super::refused;
use super::send::Queued;
use crate::app::App;
use crate::http::{Id, Json, Problem};
use crate::letters;
use crate::service::api_key::{Allowed, MailManage};

/// Send a letter again
///
/// Makes a new delivery, with an id and a `Message-ID` of its own. A letter that failed, or whose fate is
/// `unknown`, lies among the dead letters with its content, and leaves them with this. An account letter is asked
/// for again whatever became of it, with a link that is made when it is sent. The content of other letters is
/// erased when they end: `mail_content_erased`. One that is still on its way, or was sent again before, is
/// `mail_state`. Takes the scope `mail:manage`.
#[utoipa::path(
    post, path = "/api/mail/{id}/resend", tag = "mail", operation_id = "resend_mail",
    params(("id" = String, Path, description = "The delivery's id")),
    responses(
        (status = 202, description = "The new delivery", body = Queued),
        (status = "4XX", description = "Refused, no such delivery, or nothing left to send", body = crate::http::problem::ProblemDocument, content_type = "application/problem+json"),
    ),
    security(("api_key" = []))
)]
pub async fn resend(
    State(app): State<App>,
    allowed: Allowed<MailManage>,
    Id(id): Id,
) -> Result<(StatusCode, Json<Queued>), Problem> {
    let again = letters::resend(&app, id, &allowed.key.actor())
        .await
        .map_err(refused)?;
    let id = again.to_string();
    Ok((StatusCode::ACCEPTED, Json(Queued { id })))
}
