//! `GET /api/events`.

use axum::extract::State;
use gatepost_messaging::{Error, Event};
use gatepost_storage::Timestamp;
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::app::App;
use crate::http::{Code, Json, Problem, Query};
use crate::service::api_key::{Allowed, EventsRead};
use crate::service::page::Limit;

/// Where to go on.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Filter {
    /// 1 to 500.
    #[serde(default)]
    #[param(value_type = Option<u16>, minimum = 1, maximum = 500)]
    limit: Limit,
    /// The `next` of the answer before. Without it: from the oldest event that is kept.
    #[serde(default)]
    #[param(value_type = Option<String>)]
    after: Cursor,
}

/// How far a reader is.
#[derive(Debug, Default)]
struct Cursor(i64);

impl<'de> Deserialize<'de> for Cursor {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        match text.parse() {
            Ok(number) if number >= 0 => Ok(Self(number)),
            _ => Err(serde::de::Error::custom(
                "after is the `next` of an answer of this route",
            )),
        }
    }
}

/// Something that happened.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Event)]
pub struct EventView {
    /// Its id, the same on every road that it is told by: handle each id once.
    #[schema(value_type = String)]
    id: Uuid,
    /// What happened: `user.activated`. Types that you don't know are none of your business: skip them.
    #[serde(rename = "type")]
    kind: String,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    timestamp: Timestamp,
    /// To whom or what: ids and plain words.
    #[schema(value_type = Object)]
    data: serde_json::Value,
}

impl From<Event> for EventView {
    fn from(event: Event) -> Self {
        Self {
            id: event.id,
            kind: event.kind,
            timestamp: event.timestamp,
            data: event.data,
        }
    }
}

/// A part of the events.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = EventPage)]
pub struct Part {
    /// In order, oldest first.
    items: Vec<EventView>,
    /// The `after` to ask with the next time: always there, since there will be more events one day.
    next: String,
}

/// Read events
///
/// Oldest first. Keep `next` and ask with it again: what commits late comes later, nothing is left out. Events are
/// kept for `retention.events`; whoever comes back after longer is told so (`cursor_expired`). Takes the scope
/// `events:read`.
#[utoipa::path(
    get, path = "/api/events", tag = "events", operation_id = "list_events", params(Filter),
    responses(
        (status = 200, description = "A part of the events; empty if there are none yet", body = Part),
        (status = 410, description = "`cursor_expired`", body = crate::http::problem::ProblemDocument, content_type = "application/problem+json"),
        (status = "4XX", description = "Refused", body = crate::http::problem::ProblemDocument, content_type = "application/problem+json"),
    ),
    security(("api_key" = []))
)]
pub async fn list(
    State(app): State<App>,
    _allowed: Allowed<EventsRead>,
    Query(filter): Query<Filter>,
) -> Result<Json<Part>, Problem> {
    let page = match app.events.after(filter.after.0, filter.limit.into()).await {
        Err(Error::Swept) => return Err(Problem::new(Code::CursorExpired)),
        page => page?,
    };
    Ok(Json(Part {
        items: page.events.into_iter().map(EventView::from).collect(),
        next: page.next.to_string(),
    }))
}
