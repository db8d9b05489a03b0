//! `GET /api/service/users`: accounts in the order in which they were made.

use axum::extract::State;
use gatepost_storage::{UserId, users};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::accounts::{Email, User};
use crate::app::App;
use crate::http::{Json, Problem, Query};
use crate::service::api_key::{Allowed, UsersRead};
use crate::service::page::{Limit, Page};

/// What to list.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Filter {
    /// The account of this address only.
    #[param(value_type = Option<String>)]
    email: Option<Email>,
    /// 1 to 500.
    #[serde(default)]
    #[param(value_type = Option<u16>, minimum = 1, maximum = 500)]
    limit: Limit,
    /// The `next` of the part before.
    #[param(value_type = Option<String>)]
    after: Option<UserId>,
}

/// List accounts
///
/// Registrations that nobody has confirmed are not among them. Takes the scope `users:read`.
#[utoipa::path(
    get, path = "/api/service/users", tag = "service", operation_id = "service_list_users", params(Filter),
    responses(
        (status = 200, description = "A part of the list", body = Page<User>),
        (status = "4XX", description = "Refused", body = crate::http::problem::ProblemDocument, content_type = "application/problem+json"),
    ),
    security(("api_key" = []))
)]
pub async fn list(
    State(app): State<App>,
    _allowed: Allowed<UsersRead>,
    Query(filter): Query<Filter>,
) -> Result<Json<Page<User>>, Problem> {
    let Filter { email, limit, after } = filter;
    let rows = app.store.read("list_users", move |tx| {
        let email = email.clone();
        Box::pin(async move {
            match email {
                None => users::list(tx, after, limit.into()).await,
                Some(email) => {
                    let found = users::by_email(tx, email.canonical()).await?;
                    Ok(found
                        .into_iter()
                        .filter(|user| after.is_none_or(|after| user.id > after))
                        .collect())
                }
            }
        })
    });
    Ok(Json(Page::of(
        rows.await?,
        limit,
        |row| row.id.to_string(),
        |row| User::from(&row),
    )))
}
