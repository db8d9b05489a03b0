//! Where somebody is logged in.

use axum::extract::State;
use gatepost_storage::{Timestamp, UserId};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::app::App;
use crate::auth::device::Device;
use crate::http::bearer::Bearer;
use crate::http::{Json, Problem, ProblemDocument};

/// One session.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Session {
    /// For `DELETE /api/auth/sessions/{id}`.
    pub id: String,
    /// Whether it is the one that asks.
    pub current: bool,
    /// When it was opened.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// When it was last heard of: to the lifetime of an access token (an hour) for programs, to ten minutes for the hosted
    /// pages.
    #[schema(value_type = String, format = DateTime)]
    pub last_used_at: Timestamp,
    /// When it ends if it is not refreshed.
    #[schema(value_type = String, format = DateTime)]
    pub expires_at: Timestamp,
    /// The device in words, as far as it is known: `Firefox on Linux`.
    pub device: Option<String>,
    /// The network it was opened from: `192.0.2.0/24`, `2001:db8:1::/48`. The address itself is not kept.
    pub network: Option<String>,
    /// What the client called itself, at most 255 characters.
    pub user_agent: Option<String>,
}

/// All sessions of a person.
#[derive(Debug, Serialize, ToSchema)]
pub struct Sessions {
    /// Newest first.
    items: Vec<Session>,
    /// Always null: there are never so many that it takes pages.
    next: Option<String>,
}

/// Where you are logged in.
#[utoipa::path(get, path = "/api/auth/sessions", tag = "auth", security(("access" = [])), responses(
    (status = 200, body = Sessions),
    (status = 401, description = "`credentials_missing`, `token_*`", body = ProblemDocument, content_type = "application/problem+json")))]
pub async fn list(State(app): State<App>, bearer: Bearer) -> Result<Json<Sessions>, Problem> {
    let items = of_user(&app, bearer.user_id, Some(bearer.session)).await?;
    Ok(Json(Sessions { items, next: None }))
}

/// The living sessions of a user; `current` is the one that asks.
pub async fn of_user(app: &App, user_id: UserId, current: Option<Uuid>) -> Result<Vec<Session>, Problem> {
    let sessions = app.tokens.sessions(&user_id.to_string()).await?;
    let view = |session: gatepost_tokens::Session| Session {
        current: current == Some(session.id),
        id: session.id.to_string(),
        created_at: session.created_at,
        last_used_at: session.last_used_at,
        expires_at: session.expires_at,
        device: session
            .user_agent
            .as_deref()
            .and_then(|agent| Device::of(agent).words()),
        network: session.ip,
        user_agent: session.user_agent,
    };
    Ok(sessions.into_iter().map(view).collect())
}
