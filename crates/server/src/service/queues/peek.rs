//! `GET /api/queues/{name}/peek`.

use axum::extract::{Path, State};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::app::App;
use crate::http::{Json, Problem, Query};
use crate::queues::{Desk, MessageView, Named};
use crate::service::api_key::{Allowed, QueuesRead};
use crate::service::page::Limit;

/// What to look at.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Filter {
    /// The dead letters; the same as `.dead` after the name.
    #[serde(default)]
    dead: bool,
    /// With bodies.
    #[serde(default)]
    body: bool,
    /// 1 to 500.
    #[serde(default)]
    #[param(value_type = Option<u16>, minimum = 1, maximum = 500)]
    limit: Limit,
    /// The `next` of the part before.
    #[param(value_type = Option<String>)]
    after: Option<Uuid>,
}

/// A part of a queue.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Peeked)]
pub struct Part {
    /// In the order of ids, which is about that of publishing.
    items: Vec<MessageView>,
    /// The `after` of the next part; none if this is the last.
    next: Option<String>,
    /// This counted as a delivery of what waits there: on RabbitMQ nobody can look without taking. Not for dead letters.
    counted_as_delivery: bool,
}

/// Look at messages
///
/// Takes nothing away. On RabbitMQ it counts as a delivery of what waits: see `counted_as_delivery`. Takes the scope
/// `queues:read`.
#[utoipa::path(
    get, path = "/api/queues/{name}/peek", tag = "queues", operation_id = "peek_queue",
    params(("name" = String, Path, description = "The queue's name; with `.dead` after it, its dead letters"), Filter),
    responses(
        (status = 200, description = "A part of the queue", body = Part),
        (status = "4XX", description = "Refused", body = crate::http::problem::ProblemDocument, content_type = "application/problem+json"),
    ),
    security(("api_key" = []))
)]
pub async fn peek(
    State(app): State<App>,
    _allowed: Allowed<QueuesRead>,
    Path(name): Path<String>,
    Query(filter): Query<Filter>,
) -> Result<Json<Part>, Problem> {
    let desk = Desk::new(&app);
    let mut named = Named::parse(&name);
    named.dead |= filter.dead;
    let items = desk
        .peek(&named, filter.after, filter.limit.into(), filter.body)
        .await?;
    let full = items.len() >= filter.limit.get();
    Ok(Json(Part {
        next: items.last().filter(|_| full).map(|last| last.id.to_string()),
        items,
        counted_as_delivery: desk.looking_counts() && !named.dead,
    }))
}
