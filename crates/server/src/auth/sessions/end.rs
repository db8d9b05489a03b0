//! End one session.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use gatepost_storage::{UserId, audit};
use gatepost_tokens::EndReason;
use serde_json::json;
use uuid::Uuid;

use crate::app::App;
use crate::auth::refresh_cookie;
use crate::http::bearer::Bearer;
use crate::http::{Id, Problem, ProblemDocument};

/// End one of your sessions. Its tokens stop working at once.
#[utoipa::path(delete, path = "/api/auth/sessions/{id}", tag = "auth", security(("access" = [])),
    params(("id" = String, Path, description = "The session's id")), responses(
    (status = 204, description = "It has ended"),
    (status = 401, description = "`credentials_missing`, `token_*`", body = ProblemDocument, content_type = "application/problem+json"),
    (status = 404, description = "`not_found`: no living session of yours", body = ProblemDocument, content_type = "application/problem+json")))]
pub async fn end(State(app): State<App>, bearer: Bearer, Id(id): Id) -> Result<Response, Problem> {
    if !end_one(&app, bearer.user_id, id).await? {
        return Err(Problem::not_found());
    }
    let mut response = StatusCode::NO_CONTENT.into_response();
    if id == bearer.session {
        refresh_cookie::clear(&app, &mut response);
    }
    Ok(response)
}

/// End a session of this user; whether it was alive.
pub async fn end_one(app: &App, user_id: UserId, session: Uuid) -> Result<bool, Problem> {
    let parts = app.clone();
    app.store
        .run_tx("end_session", move |tx| {
            let app = parts.clone();
            Box::pin(async move {
                let subject = user_id.to_string();
                let ended = app
                    .tokens
                    .end_session_in(tx, Some(&subject), session, EndReason::Logout)
                    .await?;
                if ended {
                    let (actor, detail) = (
                        format!("user:{subject}"),
                        json!({"reason": "logout", "session": session}),
                    );
                    audit::note(tx, &actor, "session.ended", Some(&subject), detail).await?;
                }
                Ok::<_, Problem>(ended)
            })
        })
        .await
}
