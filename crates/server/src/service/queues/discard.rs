//! `DELETE /api/queues/{name}/dead/{id}`.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde_json::json;
use uuid::Uuid;

use super::note;
use crate::app::App;
use crate::http::Problem;
use crate::queues::{Desk, Named};
use crate::service::api_key::{Allowed, QueuesWrite};

/// Discard a dead letter
///
/// For good. Takes the scope `queues:write`.
#[utoipa::path(
    delete, path = "/api/queues/{name}/dead/{id}", tag = "queues", operation_id = "discard_dead_letter",
    params(("name" = String, Path, description = "The queue's name"), ("id" = String, Path, description = "The dead letter's id")),
    responses(
        (status = 204, description = "It is gone"),
        (status = "4XX", description = "Refused, or no such dead letter", body = crate::http::problem::ProblemDocument, content_type = "application/problem+json"),
    ),
    security(("api_key" = []))
)]
pub async fn discard(
    State(app): State<App>,
    allowed: Allowed<QueuesWrite>,
    Path((name, id)): Path<(String, String)>,
) -> Result<StatusCode, Problem> {
    let id: Uuid = id.parse().map_err(|_| Problem::not_found())?;
    let queue = Named::parse(&name).queue;
    if !Desk::new(&app).discard(&queue, id).await? {
        return Err(Problem::not_found());
    }
    note(
        &app,
        &allowed.key.actor(),
        "dead_letter.discarded",
        &queue,
        json!({"id": id}),
    )
    .await?;
    Ok(StatusCode::NO_CONTENT)
}
