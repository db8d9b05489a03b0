//! End every session.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use gatepost_storage::{UserId, audit};
use gatepost_tokens::EndReason;
use serde_json::json;

use super::refresh_cookie;
use crate::app::App;
use crate::http::bearer::Bearer;
use crate::http::{Problem, ProblemDocument};

/// End every session of yours, this one too. All tokens of all of them stop working at once.
#[utoipa::path(post, path = "/api/auth/logout-everywhere", tag = "auth", security(("access" = [])), responses(
    (status = 204, description = "Every session has ended"),
    (status = 401, description = "`credentials_missing`, `token_*`", body = ProblemDocument, content_type = "application/problem+json")))]
pub async fn logout_everywhere(State(app): State<App>, bearer: Bearer) -> Result<Response, Problem> {
    end_all(&app, bearer.user_id).await?;
    let mut response = StatusCode::NO_CONTENT.into_response();
    refresh_cookie::clear(&app, &mut response);
    Ok(response)
}

/// End every session of a user, by the user's own wish; how many there were.
pub async fn end_all(app: &App, user_id: UserId) -> Result<u64, Problem> {
    let parts = app.clone();
    app.store
        .run_tx("logout_everywhere", move |tx| {
            let app = parts.clone();
            Box::pin(async move {
                let subject = user_id.to_string();
                let ended = app
                    .tokens
                    .end_all_sessions_in(tx, &subject, EndReason::Logout)
                    .await?;
                let actor = format!("user:{subject}");
                audit::note(
                    tx,
                    &actor,
                    "sessions.ended",
                    Some(&subject),
                    json!({"sessions": ended}),
                )
                .await?;
                Ok::<_, Problem>(ended)
            })
        })
        .await
}
