//! What somebody gets who has shown who he is.

use axum::http::HeaderMap;
use axum::http::header::USER_AGENT;
use gatepost_tokens::{Grant, NewSession};
use serde::Serialize;
use utoipa::ToSchema;

use crate::http::Client;

/// The tokens of a session.
#[derive(Serialize, ToSchema)]
pub struct Granted {
    /// For `Authorization: Bearer`.
    access: String,
    /// For `POST /api/auth/refresh`. Keep it from scripts and from logs.
    refresh: String,
    /// Always `Bearer`.
    token_type: &'static str,
    /// How long the access token lives, in seconds.
    expires_in: i64,
}

impl From<Grant> for Granted {
    fn from(grant: Grant) -> Self {
        Self {
            access: grant.access,
            refresh: grant.refresh,
            token_type: "Bearer",
            expires_in: grant.expires_in,
        }
    }
}

/// What the list of sessions shows of a client: enough to recognise one's own.
pub fn new_session(client: Client, headers: &HeaderMap) -> NewSession {
    let agent = headers.get(USER_AGENT).and_then(|value| value.to_str().ok());
    NewSession {
        user_agent: agent.map(|agent| agent.chars().take(200).collect()),
        ip: Some(client.0.to_string()),
    }
}
