//! `GET /api/inbox/{id}`: one captured letter.

use axum::extract::State;

use super::{Captured, only_if_capturing};
use crate::app::App;
use crate::http::{Id, Json, Problem};
use crate::service::api_key::{Allowed, MailRead};

/// Show a captured letter
///
/// 404 unless `mail.transport` is `capture`. Takes the scope `mail:read`.
#[utoipa::path(
    get, path = "/api/inbox/{id}", tag = "mail", operation_id = "show_inbox", params(("id" = String, Path, description = "The letter's id")),
    responses(
        (status = 200, description = "The letter", body = Captured),
        (status = "4XX", description = "Refused, or no such letter", body = crate::http::problem::ProblemDocument, content_type = "application/problem+json"),
    ),
    security(("api_key" = []))
)]
pub async fn show(
    State(app): State<App>,
    _allowed: Allowed<MailRead>,
    Id(id): Id,
) -> Result<Json<Captured>, Problem> {
    only_if_capturing(&app)?;
    let found = app.mailer.inbox_get(id).await?.ok_or_else(Problem::not_found)?;
    Ok(Json(found.into()))
}
