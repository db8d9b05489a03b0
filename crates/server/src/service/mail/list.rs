//! `GET /api/mail`: deliveries, newest first.

use axum::extract::State;
use gatepost_mail::EmailAddress;
use gatepost_mail::ListFilter;
use serde::{Deserialize, Deserializer};
use utoipa::IntoParams;
use uuid::Uuid;

use super::DeliveryView;
use crate::app::App;
use crate::http::{Json, Problem, Query};
use crate::service::api_key::{Allowed, MailRead};
use crate::service::page::{Limit, Page};

/// What to list.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Filter {
    /// In this state only: `waiting`, `sending`, `deferred`, `sent`, `handed_over`, `failed`, `unknown`,
    /// `suppressed`, `expired`, `superseded`, `cancelled`.
    #[param(value_type = Option<String>)]
    state: Option<DeliveryState>,
    /// To this address only.
    #[param(value_type = Option<String>)]
    to: Option<EmailAddress>,
    /// Of this template only.
    template: Option<String>,
    /// 1 to 500.
    #[serde(default)]
    #[param(value_type = Option<u16>, minimum = 1, maximum = 500)]
    limit: Limit,
    /// The `next` of the part before.
    #[param(value_type = Option<String>)]
    after: Option<Uuid>,
}

/// A state that a delivery can be in.
#[derive(Debug)]
struct DeliveryState(String);

/// All of them, for the command line as well.
pub const STATES: [&str; 11] = [
    "waiting",
    "sending",
    "deferred",
    "sent",
    "handed_over",
    "failed",
    "unknown",
    "suppressed",
    "expired",
    "superseded",
    "cancelled",
];

impl<'de> Deserialize<'de> for DeliveryState {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        if STATES.contains(&text.as_str()) {
            return Ok(Self(text));
        }
        Err(serde::de::Error::custom(format!(
            "there is no such state; there are {}",
            STATES.join(", ")
        )))
    }
}

/// List deliveries
///
/// Newest first; addresses are masked. Takes the scope `mail:read`.
#[utoipa::path(
    get, path = "/api/mail", tag = "mail", operation_id = "list_mail", params(Filter),
    responses(
        (status = 200, description = "A part of the list", body = Page<DeliveryView>),
        (status = "4XX", description = "Refused", body = crate::http::problem::ProblemDocument, content_type = "application/problem+json"),
    ),
    security(("api_key" = []))
)]
pub async fn list(
    State(app): State<App>,
    _allowed: Allowed<MailRead>,
    Query(filter): Query<Filter>,
) -> Result<Json<Page<DeliveryView>>, Problem> {
    let Filter {
        state,
        to,
        template,
        limit,
        after,
    } = filter;
    let rows = app
        .mailer
        .list(&ListFilter {
            state: state.map(|DeliveryState(state)| state),
            to,
            template,
            limit: limit.into(),
            after,
        })
        .await?;
    Ok(Json(Page::of(
        rows,
        limit,
        |row| row.id.to_string(),
        DeliveryView::from,
    )))
}
