//! `GET /api/inbox`: captured letters, oldest first.

use axum::extract::State;
use gatepost_mail::EmailAddress;
use gatepost_mail::InboxFilter;
use serde::Deserialize;
use utoipa::IntoParams;

use super::{Captured, only_if_capturing};
use crate::app::App;
use crate::http::{Json, Problem, Query};
use crate::service::api_key::{Allowed, MailRead};
use crate::service::page::{Limit, Page};

/// What to list.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Filter {
    /// To this address only.
    #[param(value_type = Option<String>)]
    to: Option<EmailAddress>,
    /// 1 to 500.
    #[serde(default)]
    #[param(value_type = Option<u16>, minimum = 1, maximum = 500)]
    limit: Limit,
    /// The `next` of the part before.
    after: Option<i64>,
}

/// List captured letters
///
/// Oldest first, so that `after` also waits for what comes next. 404 unless `mail.transport` is `capture`.
/// Takes the scope `mail:read`.
#[utoipa::path(
    get, path = "/api/inbox", tag = "mail", operation_id = "list_inbox", params(Filter),
    responses(
        (status = 200, description = "A part of the list", body = Page<Captured>),
        (status = "4XX", description = "Refused, or nothing is captured here", body = crate::http::problem::ProblemDocument, content_type = "application/problem+json"),
    ),
    security(("api_key" = []))
)]
pub async fn list(
    State(app): State<App>,
    _allowed: Allowed<MailRead>,
    Query(filter): Query<Filter>,
) -> Result<Json<Page<Captured>>, Problem> {
    only_if_capturing(&app)?;
    let Filter { to, limit, after } = filter;
    let rows = app
        .mailer
        .inbox(&InboxFilter {
            to,
            after,
            limit: limit.into(),
        })
        .await?;
    Ok(Json(Page::of(
        rows,
        limit,
        |row| row.cursor.to_string(),
        Captured::from,
    )))
}
