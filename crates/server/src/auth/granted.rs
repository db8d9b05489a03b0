//! What somebody gets who has shown who he is.

use axum::response::{IntoResponse as _, Response};
use gatepost_tokens::Grant;
use serde::Serialize;
use utoipa::ToSchema;

use super::refresh_cookie;
use crate::app::App;
use crate::http::Json;
use crate::pages_http::cookie;

/// The tokens of a session.
#[derive(Serialize, ToSchema)]
pub struct Granted {
    /// For `Authorization: Bearer`.
    access: String,
    /// For `POST /api/auth/refresh`. Keep it from scripts and from logs. Not here where `auth.refresh_cookie` is on: then
    /// it is in a cookie.
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh: Option<String>,
    /// Always `Bearer`.
    token_type: &'static str,
    /// How long the access token lives, in seconds.
    expires_in: i64,
}

/// The answer: the tokens, or the access token and a cookie with the other.
pub(crate) fn answer(app: &App, grant: Grant) -> Response {
    let (body, set) = if app.config.auth.refresh_cookie {
        (None, refresh_cookie::set(app, &grant.refresh))
    } else {
        (Some(grant.refresh), None)
    };
    let granted = Granted {
        access: grant.access,
        refresh: body,
        token_type: "Bearer",
        expires_in: grant.expires_in,
    };
    let mut response = Json(granted).into_response();
    cookie::add(&mut response, set);
    response
}
