//! `auth.refresh_cookie`: the refresh token where no script can read it.
//!
//! The cookie is `__Host-` (this host alone, over TLS), `HttpOnly`, and `SameSite=Strict`: only scripts of our own site
//! ask for new tokens, never a link from elsewhere, so that nothing is lost by the strictest kind. A sibling of the domain
//! is the same site to a browser: for it, and for browsers that know no `SameSite`, the request's `Origin` decides
//! besides. Only what this cookie does is guarded so; whoever brings the token in the body has it already.

use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::Response;
use serde::Deserialize;

use super::refresh::ByRefresh;
use crate::app::App;
use crate::http::json::{body_problem, parse};
use crate::http::token::RawToken;
use crate::http::{Code, Json, Problem};
use crate::pages_http::cookie::{self, Cookie};
use crate::pages_http::{origin, visitor};

const COOKIE: Cookie = Cookie {
    name: "gatepost_refresh",
    same_site: "Strict",
};

/// The header that sets it, for as long as a session lives that is not refreshed.
pub(super) fn set(app: &App, refresh: &str) -> Option<HeaderValue> {
    COOKIE.set(app, refresh, visitor::lifetime(app))
}

/// Takes the cookie away, where there are cookies.
pub(crate) fn clear(app: &App, response: &mut Response) {
    if app.config.auth.refresh_cookie {
        cookie::add(response, COOKIE.clear(app));
    }
}

/// Refuses what another site's page has a browser ask for with our cookies.
pub(super) fn guard(app: &App, headers: &HeaderMap) -> Result<(), Problem> {
    let allowed = &app.config.http.cors_origins;
    let named = headers.get(header::ORIGIN).and_then(|value| value.to_str().ok());
    if named.is_some_and(|origin| allowed.iter().any(|allowed| allowed == origin))
        || origin::is_ours(headers, app.config.http.public_url.as_str())
    {
        return Ok(());
    }
    Err(Problem::new(Code::OriginRefused))
}

/// The refresh token of a request: in the body, or, where `auth.refresh_cookie` is on, in the cookie.
pub struct Brought {
    /// The token; `None` if there is no cookie.
    pub token: Option<RawToken>,
    /// Whether the cookie brought it.
    pub by_cookie: bool,
}

#[derive(Deserialize)]
struct Perhaps {
    #[serde(default)]
    refresh: Option<RawToken>,
}

impl FromRequest<App> for Brought {
    type Rejection = Problem;

    async fn from_request(request: Request, app: &App) -> Result<Self, Problem> {
        if !app.config.auth.refresh_cookie {
            let Json(body) = Json::<ByRefresh>::from_request(request, app).await?;
            return Ok(Self {
                token: Some(body.refresh),
                by_cookie: false,
            });
        }
        let headers = request.headers().clone();
        let body = Bytes::from_request(request, app)
            .await
            .map_err(|error| body_problem(&error))?;
        if !body.is_empty()
            && let Perhaps { refresh: Some(token) } = parse(&body)?
        {
            return Ok(Self {
                token: Some(token),
                by_cookie: false,
            });
        }
        guard(app, &headers)?;
        let token = COOKIE.read(app, &headers).filter(|value| !value.is_empty());
        Ok(Self {
            token: token.map(|value| RawToken::from(value.to_owned())),
            by_cookie: true,
        })
    }
}
