//! `POST /api/mail/{id}/cancel`: take a letter back.

use axum::extract::State;
use axum::http::StatusCode;

use super::refused;
use crate::app::App;
use crate::http::{Id, Problem};
use crate::letters;
use crate::service::api_key::{Allowed, MailManage};

/// Cancel a letter
///
/// One that waits or is put off; its content is erased. One that somebody is sending, or that has ended, stays as
/// it is: `mail_state`. Takes the scope `mail:manage`.
#[utoipa::path(
    post, path = "/api/mail/{id}/cancel", tag = "mail", operation_id = "cancel_mail",
    params(("id" = String, Path, description = "The delivery's id")),
    responses(
        (status = 204, description = "Cancelled"),
        (status = "4XX", description = "Refused, no such delivery, or too late", body = crate::http::problem::ProblemDocument, content_type = "application/problem+json"),
    ),
    security(("api_key" = []))
)]
pub async fn cancel(
    State(app): State<App>,
    allowed: Allowed<MailManage>,
    Id(id): Id,
) -> Result<StatusCode, Problem> {
    letters::cancel(&app, id, &allowed.key.actor())
        .await
        .map_err(refused)?;
    Ok(StatusCode::NO_CONTENT)
}
