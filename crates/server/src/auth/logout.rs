//! End the session that a refresh token belongs to.

use axum::extract::State;
use axum::http::StatusCode;
use gatepost_tokens::Refused;

use super::refresh::ByRefresh;
use crate::app::App;
use crate::http::token::RawToken;
use crate::http::{Json, Problem, ProblemDocument};

/// Log out. The session's access tokens die with it. A refresh token that is no longer good is as logged out as
/// can be: 204 too.
#[utoipa::path(post, path = "/api/auth/logout", tag = "auth", request_body = ByRefresh, responses(
    (status = 204, description = "The session has ended"),
    (status = 400, description = "`token_malformed`, `token_wrong_purpose`", body = ProblemDocument, content_type = "application/problem+json")))]
pub async fn logout(State(app): State<App>, Json(body): Json<ByRefresh>) -> Result<StatusCode, Problem> {
    log_out(&app, &body.refresh).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// End the session of this refresh token, if it still lives.
pub async fn log_out(app: &App, refresh: &RawToken) -> Result<(), Problem> {
    match app.tokens.look_at_refresh(refresh.expose()) {
        Ok(_) => {}
        Err(refused @ (Refused::Malformed | Refused::WrongPurpose)) => return Err(refused.into()),
        Err(_) => return Ok(()),
    }
    let (parts, raw) = (app.clone(), refresh.clone());
    app.store
        .run_tx("logout", move |tx| {
            let (app, raw) = (parts.clone(), raw.clone());
            Box::pin(async move {
                app.tokens.log_out_in(tx, raw.expose()).await?;
                Ok::<_, Problem>(())
            })
        })
        .await
}
