//! New tokens for a session that goes on.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use gatepost_storage::{Tx, UserId, audit, users};
use gatepost_tokens::{Grant, Refused, Reuse, Rotation};
use serde::Deserialize;
use serde_json::json;
use utoipa::ToSchema;

use super::granted::{self, Granted};
use super::refresh_cookie::{self, Brought};
use crate::accounts::letters::{self, News};
use crate::app::App;
use crate::config::UserSource;
use crate::http::token::RawToken;
use crate::http::{Client, Code, Problem, ProblemDocument};
use crate::limits;

/// The refresh token.
#[derive(Debug, Deserialize, ToSchema)]
pub struct ByRefresh {
    /// The refresh token that came last.
    pub refresh: RawToken,
}

/// Exchange a refresh token for new tokens. Asking again with the same one, because the answer was lost, gives
/// the same successor. One that was replaced long ago ends the session, and the user is told. Where
/// `auth.refresh_cookie` is on, the cookie brings the token, and the body may be empty.
#[utoipa::path(post, path = "/api/auth/refresh", tag = "auth", request_body = ByRefresh, responses(
    (status = 200, body = Granted),
    (status = 401, description = "`token_malformed`, `token_expired`, `token_revoked`, `token_wrong_purpose`", body = ProblemDocument, content_type = "application/problem+json"),
    (status = 403, description = "`origin_refused`: by cookie only", body = ProblemDocument, content_type = "application/problem+json"),
    (status = 503, description = "`dependency_unavailable`", body = ProblemDocument, content_type = "application/problem+json")))]
pub async fn refresh(State(app): State<App>, client: Client, brought: Brought) -> Result<Response, Problem> {
    let Some(token) = brought.token else {
        return Err(Problem::new(Code::CredentialsMissing).detail("There is no cookie with a refresh token."));
    };
    match exchange(&app, client, &token).await {
        Ok(grant) => Ok(granted::answer(&app, grant)),
        // A cookie that is good for nothing any more goes.
        Err(problem) if brought.by_cookie && problem.status() == StatusCode::UNAUTHORIZED => {
            let mut response = problem.into_response();
            refresh_cookie::clear(&app, &mut response);
            Ok(response)
        }
        Err(problem) => Err(problem),
    }
}

/// Rotate. Reuse is written down, its letter with it, and only then refused.
pub async fn exchange(app: &App, client: Client, token: &RawToken) -> Result<Grant, Problem> {
    limits::token(app, client).await?;
    let (parts, raw) = (app.clone(), token.clone());
    let rotation = app
        .store
        .run_tx("refresh", move |tx| {
            let (app, raw) = (parts.clone(), raw.clone());
            Box::pin(async move {
                let mut rotation = app.tokens.refresh_in(tx, raw.expose()).await?;
                if let Rotation::Granted(grant) = &rotation
                    && app.config.accounts.source == UserSource::Django
                    && !still_active(&app, tx, grant).await?
                {
                    rotation = Rotation::Refused(Refused::Revoked);
                }
                if let Rotation::Reuse(Reuse { subject, sid }) = &rotation {
                    let user = match subject.parse() {
                        Ok(id) => users::get(tx, id).await?,
                        Err(_) => None,
                    };
                    if let Some(user) = user {
                        letters::news(&app, tx, News::RefreshReuse, subject, &user.locale, tx.now()).await?;
                    }
                    audit::note(
                        tx,
                        "service",
                        "session.reused",
                        Some(subject),
                        json!({"session": sid}),
                    )
                    .await?;
                }
                Ok::<_, Problem>(rotation)
            })
        })
        .await?;
    match rotation {
        Rotation::Granted(grant) => {
            app.tokens.ripe(&grant).await;
            Ok(grant)
        }
        Rotation::Reuse(Reuse { subject, sid }) => {
            tracing::warn!(user = subject, session = %sid, "a replaced refresh token came again; the session was ended");
            Err(Problem::from(Refused::Revoked).as_bearer())
        }
        Rotation::Refused(refused) => Err(Problem::from(refused).as_bearer()),
    }
}

/// Whoever is shut out here has lost his sessions with it; whoever is shut out in Django's admin has not. All that such
/// a user holds dies now.
async fn still_active(app: &App, tx: &mut Tx<'_>, grant: &Grant) -> Result<bool, Problem> {
    let user = match grant.subject.parse::<UserId>() {
        Ok(id) => users::get(tx, id).await?,
        Err(_) => None,
    };
    if user.is_some_and(|user| user.active) {
        return Ok(true);
    }
    app.tokens.revoke_all_in(tx, &grant.subject).await?;
    Ok(false)
}
