//! `GET /api/revocations`.

use axum::extract::State;
use gatepost_storage::Timestamp;
use gatepost_storage::revocation_log::{self, PageCursor, Revocation};
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::app::App;
use crate::http::{Json, Problem, Query};
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
    /// The `next` of the answer before. Without it: everything that can still refuse a token.
    #[serde(default)]
    #[param(value_type = Option<String>)]
    after: Cursor,
}

/// How far a reader is.
#[derive(Debug, Default)]
struct Cursor(PageCursor);

impl<'de> Deserialize<'de> for Cursor {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse()
            .map(Self)
            .map_err(|_| serde::de::Error::custom("after is the `next` of an answer of this route"))
    }
}

/// Access tokens that are dead although they have not expired.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Revocation)]
pub struct RevocationView {
    /// Its number, the same whenever it comes.
    id: String,
    /// `session`: of this `sid`; `user`: of this `sub` whose `gen` is below `generation`; `token`: of this `jti`. Kinds
    /// that you don't know are for tokens that you can't know either: skip them.
    kind: String,
    /// The `sid`, `sub` or `jti`.
    key: String,
    /// With `user` only.
    #[serde(skip_serializing_if = "Option::is_none")]
    generation: Option<i64>,
    /// After this it may be forgotten: every token that it refuses has expired.
    #[schema(value_type = String, format = DateTime)]
    expires_at: Timestamp,
}

impl From<Revocation> for RevocationView {
    fn from(row: Revocation) -> Self {
        let kind = if row.kind == "subject" {
            "user".to_owned()
        } else {
            row.kind
        };
        Self {
            id: row.id.to_string(),
            kind,
            key: row.key,
            generation: row.generation,
            expires_at: row.expires_at,
        }
    }
}

/// A part of what is revoked.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RevocationPage)]
pub struct Part {
    /// In no order that matters.
    items: Vec<RevocationView>,
    /// The `after` to ask with the next time: always there.
    next: String,
    /// Whether there may be more at this moment: ask again at once. If not, what you have is all that was committed
    /// when you asked.
    more: bool,
}

/// Read revocations
///
/// For programs that check access tokens themselves, with the keys of `/.well-known/jwks.json`. Keep `next` and ask with
/// it again, at least once a second; what commits late comes later, nothing is left out, and some may come twice. Who
/// could not read for a second must not let anybody in. Takes the scope `events:read`.
#[utoipa::path(
    get, path = "/api/revocations", tag = "tokens", operation_id = "list_revocations", params(Filter),
    responses(
        (status = 200, description = "A part of what is revoked; empty if nothing is new", body = Part),
        (status = 503, description = "`dependency_unavailable`: nobody knows what is revoked", body = crate::http::problem::ProblemDocument, content_type = "application/problem+json"),
        (status = "4XX", description = "Refused", body = crate::http::problem::ProblemDocument, content_type = "application/problem+json"),
    ),
    security(("api_key" = []))
)]
pub async fn list(
    State(app): State<App>,
    _allowed: Allowed<EventsRead>,
    Query(filter): Query<Filter>,
) -> Result<Json<Part>, Problem> {
    let (cursor, limit) = (filter.after.0, filter.limit);
    let (rows, next) = app
        .store
        .read("list_revocations", move |tx| {
            Box::pin(revocation_log::page(tx, cursor, limit.into()))
        })
        .await?;
    Ok(Json(Part {
        more: rows.len() == limit.get(),
        next: next.to_string(),
        items: rows.into_iter().map(RevocationView::from).collect(),
    }))
}
