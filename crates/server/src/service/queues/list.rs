//! `GET /api/queues`.

use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use crate::app::App;
use crate::http::{Json, Problem};
use crate::queues::{Desk, QueueView};
use crate::service::api_key::{Allowed, QueuesRead};

/// All queues.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = QueueList)]
pub struct All {
    /// By name; a queue of which there are messages in the database and at the broker stands here twice.
    items: Vec<QueueView>,
    /// Always none: there are few.
    next: Option<String>,
}

/// List queues
///
/// Those that are configured or hold anything. Takes the scope `queues:read`.
#[utoipa::path(
    get, path = "/api/queues", tag = "queues", operation_id = "list_queues",
    responses(
        (status = 200, description = "How each stands", body = All),
        (status = "4XX", description = "Refused", body = crate::http::problem::ProblemDocument, content_type = "application/problem+json"),
    ),
    security(("api_key" = []))
)]
pub async fn list(State(app): State<App>, _allowed: Allowed<QueuesRead>) -> Result<Json<All>, Problem> {
    let items = Desk::new(&app).list().await?;
    Ok(Json(All { items, next: None }))
}
