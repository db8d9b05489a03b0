//! Who is logged in, in this browser.

use std::time::Duration;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue};
use axum::response::{IntoResponse, Redirect, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use gatepost_storage::UserId;
use gatepost_tokens::Session;
use uuid::Uuid;

use super::cookie::Cookie;
use super::csrf;
use crate::app::App;
use crate::auth::sessions::end::end_one;
use crate::http::Problem;

/// `Lax`, so that a link in a letter leads to a page that knows who reads it.
const COOKIE: Cookie = Cookie {
    name: "gatepost_session",
    same_site: "Lax",
};

/// How exact the time is at which a browser was last heard of: not every page is worth a write.
const SEEN_AGAIN_AFTER: Duration = Duration::from_secs(600);

/// Keeps what is sealed here apart from everything else that is.
const SEALED_AS: &str = "browser session";

/// Somebody with a living session.
#[derive(Debug)]
pub(crate) struct Visitor {
    /// The user.
    pub(crate) user_id: UserId,
    /// The session of this browser.
    pub(crate) sid: Uuid,
    /// All of the user's sessions, this one among them.
    pub(crate) sessions: Vec<Session>,
}

impl Visitor {
    /// Who sent this request; none without a cookie, or with one whose session has ended.
    pub(crate) async fn of(app: &App, headers: &HeaderMap) -> Result<Option<Self>, Problem> {
        let Some((user_id, sid)) = COOKIE.read(app, headers).and_then(|value| open(app, value)) else {
            return Ok(None);
        };
        // Asked anew for every page: a session that was ended anywhere is over here at once.
        let sessions = app.tokens.sessions(&user_id.to_string()).await?;
        let Some(own) = sessions.iter().find(|session| session.id == sid) else {
            return Ok(None);
        };
        if own.last_used_at + SEEN_AGAIN_AFTER < app.now() {
            app.store
                .run_tx("see_session", move |tx| {
                    Box::pin(async move { gatepost_storage::sessions::see(tx, sid).await })
                })
                .await?;
        }
        Ok(Some(Self {
            user_id,
            sid,
            sessions,
        }))
    }

    /// The token of this browser's forms.
    pub(crate) fn csrf(&self, app: &App) -> String {
        csrf::token(app, "account", self.sid.as_bytes())
    }

    /// Whether a form brought it.
    pub(crate) fn sent(&self, app: &App, brought: &str) -> bool {
        csrf::is_right(app, "account", self.sid.as_bytes(), brought)
    }

    /// Log this browser out.
    pub(crate) async fn log_out(&self, app: &App) -> Result<(), Problem> {
        end_one(app, self.user_id, self.sid).await?;
        Ok(())
    }
}

/// The cookie of a session: its id and its user's, sealed. It holds no token, so that nothing that is good
/// for the API can be had from it.
pub(crate) fn cookie(app: &App, user_id: UserId, sid: Uuid) -> Result<Option<HeaderValue>, Problem> {
    let plain = [sid.as_bytes(), user_id.to_string().as_bytes()].concat();
    let sealed = app
        .sealer
        .seal_as(SEALED_AS, &[], &plain)
        .map_err(Problem::internal)?;
    Ok(COOKIE.set(app, &URL_SAFE_NO_PAD.encode(sealed), lifetime(app)))
}

/// Takes the cookie away.
pub(crate) fn no_cookie(app: &App) -> Option<HeaderValue> {
    COOKIE.clear(app)
}

/// How long a session lives that is not refreshed.
pub(crate) fn lifetime(app: &App) -> Duration {
    let refresh = app.tokens.tokens().purpose_named("refresh");
    refresh
        .map_or(Duration::ZERO, |purpose| purpose.lifetime)
        .min(app.config.auth.session_max_age)
}

fn open(app: &App, value: &str) -> Option<(UserId, Uuid)> {
    let sealed = URL_SAFE_NO_PAD.decode(value).ok()?;
    let plain = app.sealer.open_as(SEALED_AS, &[], &sealed).ok()?;
    let (sid, user_id) = plain.split_at_checked(16)?;
    let user_id = std::str::from_utf8(user_id).ok()?.parse().ok()?;
    Some((user_id, Uuid::from_slice(sid).ok()?))
}

impl FromRequestParts<App> for Visitor {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Response> {
        match Self::of(app, &parts.headers).await {
            Ok(Some(visitor)) => Ok(visitor),
            Ok(None) => Err(Redirect::to("/login?notice=login_needed").into_response()),
            Err(problem) => Err(problem.into_response()),
        }
    }
}
