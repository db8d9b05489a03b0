//! `PATCH /api/service/users/{id}`: what is given is changed, the rest stays.

use std::sync::Arc;

use axum::extract::State;
use gatepost_storage::users as rows;
use gatepost_storage::{Tx, UserId};
use gatepost_tokens::TokenService;
use serde::Deserialize;
use utoipa::ToSchema;

use super::existing;
use crate::accounts::profile::{LocaleTag, Profile};
use crate::accounts::{Password, User, users};
use crate::app::App;
use crate::events;
use crate::http::{Json, Problem, UserIn};
use crate::service::api_key::{Allowed, UsersWrite};

/// What to change.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = UserChanges)]
pub struct Request {
    /// Switch the account on or off. Off ends its sessions.
    active: Option<bool>,
    /// Another password. Ends all sessions.
    password: Option<Password>,
    /// The language of its letters.
    locale: Option<LocaleTag>,
    /// The whole profile anew.
    profile: Option<Profile>,
}

struct Change {
    active: Option<bool>,
    password_hash: Option<String>,
    locale: Option<LocaleTag>,
    profile: Option<serde_json::Value>,
}

/// Change an account
///
/// Takes the scope `users:write`.
#[utoipa::path(
    patch, path = "/api/service/users/{id}", tag = "service", operation_id = "service_update_user",
    params(("id" = String, Path, description = "The account's id")), request_body = Request,
    responses(
        (status = 200, description = "The account as it is now", body = User),
        (status = "4XX", description = "Refused, or no such account", body = crate::http::problem::ProblemDocument, content_type = "application/problem+json"),
    ),
    security(("api_key" = []))
)]
pub async fn update(
    State(app): State<App>,
    allowed: Allowed<UsersWrite>,
    UserIn(id): UserIn,
    Json(request): Json<Request>,
) -> Result<Json<User>, Problem> {
    let before = app
        .store
        .read("show_user", move |tx| Box::pin(existing(tx, id)))
        .await?;
    let Request {
        active,
        password,
        locale,
        profile,
    } = request;
    let password_hash = match &password {
        None => None,
        Some(password) => {
            app.policy.check(password, &[&before.email])?;
            Some(app.hasher.hash(password).await?)
        }
    };
    let change = Change {
        active,
        password_hash,
        locale,
        profile: profile.map(Profile::into_value),
    };
    let asked = Arc::new((change, allowed.key.actor(), app.tokens.clone()));
    let row = app
        .store
        .run_tx("update_user", move |tx| {
            let asked = asked.clone();
            Box::pin(async move {
                let (change, actor, tokens) = &*asked;
                make(tx, tokens, actor, id, change).await?;
                existing(tx, id).await
            })
        })
        .await?;
    Ok(Json(User::from(&row)))
}

async fn make(
    tx: &mut Tx<'_>,
    tokens: &TokenService,
    actor: &str,
    id: UserId,
    change: &Change,
) -> Result<(), Problem> {
    let changed: Vec<&str> = [
        ("locale", change.locale.is_some()),
        ("profile", change.profile.is_some()),
    ]
    .iter()
    .filter_map(|(field, given)| given.then_some(*field))
    .collect();
    if !changed.is_empty() {
        let locale = change.locale.as_ref().map(LocaleTag::as_str);
        rows::update_profile(tx, id, locale, change.profile.as_ref()).await?;
        events::user::updated(tx, id, &changed).await?;
    }
    if let Some(hash) = &change.password_hash {
        users::set_password(tx, tokens, actor, id, hash).await?;
    }
    match change.active {
        None => {}
        Some(true) => {
            users::activate(tx, actor, id).await?;
        }
        Some(false) => {
            users::deactivate(tx, tokens, actor, id).await?;
        }
    }
    Ok(())
}
