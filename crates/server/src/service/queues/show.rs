//! `GET /api/queues/{name}`.

use axum::extract::{Path, State};
use serde::Serialize;
use utoipa::ToSchema;

use crate::app::App;
use crate::http::{Json, Problem};
use crate::queues::{Desk, Named, QueueView};
use crate::service::api_key::{Allowed, QueuesRead};

/// One queue.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = QueuePlaces)]
pub struct Shown {
    /// Its name.
    queue: String,
    /// How it stands in each place where it is.
    places: Vec<QueueView>,
    /// Whether looking at what waits counts as a delivery: on RabbitMQ.
    looking_counts: bool,
}

/// Show a queue
///
/// Takes the scope `queues:read`.
#[utoipa::path(
    get, path = "/api/queues/{name}", tag = "queues", operation_id = "show_queue",
    params(("name" = String, Path, description = "The queue's name")),
    responses(
        (status = 200, description = "How it stands", body = Shown),
        (status = "4XX", description = "Refused, or no such queue", body = crate::http::problem::ProblemDocument, content_type = "application/problem+json"),
    ),
    security(("api_key" = []))
)]
pub async fn show(
    State(app): State<App>,
    _allowed: Allowed<QueuesRead>,
    Path(name): Path<String>,
) -> Result<Json<Shown>, Problem> {
    let desk = Desk::new(&app);
    let queue = Named::parse(&name).queue;
    let places = desk.show(&queue).await?;
    if places.is_empty() {
        return Err(Problem::not_found());
    }
    Ok(Json(Shown {
        queue,
        places,
        looking_counts: desk.looking_counts(),
    }))
}
