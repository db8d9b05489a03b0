//! `POST /api/queues/{name}/replay`.

use axum::extract::{Path, State};
use gatepost_messaging::DeadReason;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;
use uuid::Uuid;

use super::note;
use crate::app::App;
use crate::http::{Json, Problem};
use crate::queues::{Desk, Named};
use crate::service::api_key::{Allowed, QueuesWrite};

/// Which ones; `{}` is all.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = Replay)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// This one.
    #[schema(value_type = Option<String>)]
    id: Option<Uuid>,
    /// Those that died of this: `failed`, `attempts`, `crash_loop`, `expired`, `malformed`.
    reason: Option<String>,
}

/// What was done.
#[derive(Debug, Serialize, ToSchema)]
pub struct Replayed {
    /// So many went back.
    replayed: u64,
}

/// Put dead letters back
///
/// Under their ids, with tries counted from nothing. Takes the scope `queues:write`.
#[utoipa::path(
    post, path = "/api/queues/{name}/replay", tag = "queues", operation_id = "replay_dead_letters", request_body = Request,
    params(("name" = String, Path, description = "The queue's name")),
    responses(
        (status = 200, description = "How many went back", body = Replayed),
        (status = "4XX", description = "Refused, or no such dead letter", body = crate::http::problem::ProblemDocument, content_type = "application/problem+json"),
    ),
    security(("api_key" = []))
)]
pub async fn replay(
    State(app): State<App>,
    allowed: Allowed<QueuesWrite>,
    Path(name): Path<String>,
    Json(request): Json<Request>,
) -> Result<Json<Replayed>, Problem> {
    let reason: Option<DeadReason> = request.reason.map(|word| word.parse()).transpose().map_err(|_| {
        let reasons = "It is one of failed, attempts, crash_loop, expired, malformed.";
        Problem::field("reason", "invalid", reasons)
    })?;
    let queue = Named::parse(&name).queue;
    let replayed = Desk::new(&app).replay(&queue, request.id, reason).await?;
    if replayed == 0 && request.id.is_some() {
        return Err(Problem::not_found());
    }
    let what = json!({"replayed": replayed, "id": request.id});
    note(&app, &allowed.key.actor(), "dead_letters.replayed", &queue, what).await?;
    Ok(Json(Replayed { replayed }))
}
