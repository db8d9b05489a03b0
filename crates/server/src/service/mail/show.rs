//! `GET /api/mail/{id}`: one delivery and what happened to it.

use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use super::{DeliveryView, EventView};
use crate::app::App;
use crate::http::{Id, Json, Problem};
use crate::service::api_key::{Allowed, MailRead};

/// A delivery with its timeline.
#[derive(Debug, Serialize, ToSchema)]
pub struct Shown {
    /// How it stands.
    #[serde(flatten)]
    pub delivery: DeliveryView,
    /// What happened to it, oldest first.
    pub timeline: Vec<EventView>,
    /// The same mail's deliveries to its other recipients.
    pub copies: Vec<DeliveryView>,
}

/// Show a delivery
///
/// With its timeline; the address is masked. Takes the scope `mail:read`.
#[utoipa::path(
    get, path = "/api/mail/{id}", tag = "mail", operation_id = "show_mail", params(("id" = String, Path, description = "The delivery's id")),
    responses(
        (status = 200, description = "The delivery", body = Shown),
        (status = "4XX", description = "Refused, or no such delivery", body = crate::http::problem::ProblemDocument, content_type = "application/problem+json"),
    ),
    security(("api_key" = []))
)]
pub async fn show(
    State(app): State<App>,
    _allowed: Allowed<MailRead>,
    Id(id): Id,
) -> Result<Json<Shown>, Problem> {
    let found = app.mailer.show(id).await?.ok_or_else(Problem::not_found)?;
    let timeline = found.timeline.into_iter().map(EventView::from).collect();
    let copies = found.copies.into_iter().map(DeliveryView::from).collect();
    Ok(Json(Shown {
        delivery: found.delivery.into(),
        timeline,
        copies,
    }))
}
