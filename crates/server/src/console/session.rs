//! Who is logged into the console, in this browser.

use std::time::Duration;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue};
use axum::response::{IntoResponse, Redirect, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use gatepost_storage::admins::{self, AdminRow};
use gatepost_storage::{Error, Tx, admin_sessions, audit};
use serde_json::json;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::app::App;
use crate::http::Problem;
use crate::pages_http::cookie::Cookie;
use crate::pages_http::csrf;

/// `Strict`: nothing outside the console has a reason to lead into it with its powers.
const COOKIE: Cookie = Cookie {
    name: "gatepost_console",
    same_site: "Strict",
};

/// A working day: an administrator logs in again every day.
const LIFETIME: Duration = Duration::from_secs(12 * 3600);

/// An administrator with a living session.
#[derive(Debug)]
pub(crate) struct Administrator {
    /// Who.
    pub(crate) admin: AdminRow,
    /// The hash of the cookie: the session's key.
    session: [u8; 32],
}

impl Administrator {
    /// The token of this browser's forms.
    pub(crate) fn csrf(&self, app: &App) -> String {
        csrf::token(app, "console", &self.session)
    }

    /// Whether a form brought it.
    pub(crate) fn sent(&self, app: &App, brought: &str) -> bool {
        csrf::is_right(app, "console", &self.session, brought)
    }

    /// End the session; `true` for who ended it.
    pub(crate) async fn log_out(&self, app: &App) -> Result<bool, Problem> {
        let (session, actor) = (self.session, format!("admin:{}", self.admin.id));
        let ended = app.store.run_tx("log_administrator_out", move |tx| {
            let actor = actor.clone();
            Box::pin(async move {
                let ended = admin_sessions::delete(tx, &session).await?;
                if ended {
                    audit::note(tx, &actor, "console.logout", None, json!({})).await?;
                }
                Ok::<_, Error>(ended)
            })
        });
        Ok(ended.await?)
    }
}

/// Open a session for who just showed that `password_hash` is theirs; none if it was changed meanwhile.
pub(crate) async fn open(
    tx: &mut Tx<'_>,
    admin: Uuid,
    password_hash: &str,
    cookie: &NewCookie,
) -> Result<bool, gatepost_storage::Error> {
    let row = admins::by_id(tx, admin).await?;
    let Some(row) = row.filter(|row| row.password_hash.as_deref() == Some(password_hash)) else {
        return Ok(false);
    };
    let expires_at = tx.now() + LIFETIME;
    if !admin_sessions::insert(tx, &cookie.hash, &row, expires_at).await? {
        return Ok(false);
    }
    admins::note_login(tx, admin).await?;
    audit::note(tx, &format!("admin:{admin}"), "console.login", None, json!({})).await?;
    Ok(true)
}

/// A cookie that was just made: 256 random bits, of which the database keeps the hash.
#[derive(Clone)]
pub(crate) struct NewCookie {
    value: String,
    hash: [u8; 32],
}

impl NewCookie {
    /// Make one.
    pub(crate) fn make() -> Self {
        let value = URL_SAFE_NO_PAD.encode(crate::random::bytes::<32>());
        let hash = hash(&value);
        Self { value, hash }
    }

    /// The header that sets it.
    pub(crate) fn header(&self, app: &App) -> Option<HeaderValue> {
        COOKIE.set(app, &self.value, LIFETIME)
    }
}

/// The header that takes the cookie away.
pub(crate) fn no_cookie(app: &App) -> Option<HeaderValue> {
    COOKIE.clear(app)
}

fn hash(value: &str) -> [u8; 32] {
    Sha256::digest(value.as_bytes()).into()
}

async fn find(app: &App, headers: &HeaderMap) -> Result<Option<Administrator>, Problem> {
    let Some(session) = COOKIE.read(app, headers).map(hash) else {
        return Ok(None);
    };
    let found = app.store.read("find_administrator", move |tx| {
        Box::pin(async move { admin_sessions::find_living(tx, &session).await })
    });
    Ok(found.await?.map(|admin| Administrator { admin, session }))
}

impl FromRequestParts<App> for Administrator {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Response> {
        match find(app, &parts.headers).await {
            Ok(Some(administrator)) => Ok(administrator),
            Ok(None) => Err(Redirect::to("/console/login").into_response()),
            Err(problem) => Err(problem.into_response()),
        }
    }
}
