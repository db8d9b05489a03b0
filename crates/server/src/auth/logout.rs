//! End the session that a refresh token belongs to.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use gatepost_tokens::Refused;

use super::refresh::ByRefresh;
use super::refresh_cookie::{self, Brought};
use super::trail;
use crate::app::App;
use crate::http::token::RawToken;
use crate::http::{Problem, ProblemDocument};

/// Log out. The session's access tokens die with it. A refresh token that is no longer good is as logged out as
/// can be: 204 too. Where `auth.refresh_cookie` is on, the cookie brings the token and goes, and the body may be empty.
#[utoipa::path(post, path = "/api/auth/logout", tag = "auth", request_body = ByRefresh, responses(
    (status = 204, description = "The session has ended"),
    (status = 400, description = "`token_malformed`, `token_wrong_purpose`", body = ProblemDocument, content_type = "application/problem+json")))]
pub async fn logout(State(app): State<App>, brought: Brought) -> Result<Response, Problem> {
    if let Some(token) = &brought.token {
        match log_out(&app, token).await {
            // The cookie is none of ours: there is nothing to end, and it goes.
            Err(problem) if brought.by_cookie && problem.status() == StatusCode::BAD_REQUEST => {}
            done => done?,
        }
    }
    let mut response = StatusCode::NO_CONTENT.into_response();
    refresh_cookie::clear(&app, &mut response);
    Ok(response)
}

/// End the session of this refresh token, if it still lives.
pub async fn log_out(app: &App, refresh: &RawToken) -> Result<(), Problem> {
    match app.tokens.look_at_refresh(refresh.expose()) {
        Ok(()) => {}
        Err(refused @ (Refused::Malformed | Refused::WrongPurpose)) => return Err(refused.into()),
        Err(_) => return Ok(()),
    }
    let (parts, raw) = (app.clone(), refresh.clone());
    app.store
        .run_tx("logout", move |tx| {
            let (app, raw) = (parts.clone(), raw.clone());
            Box::pin(async move {
                trail::log_out(&app, tx, raw.expose()).await?;
                Ok::<_, Problem>(())
            })
        })
        .await
}
