//! Cookies, as the pages use them: one value each, for this host alone, out of reach of scripts.

use std::time::Duration;

use axum::http::{HeaderMap, HeaderValue, header};

use crate::app::App;

/// A cookie of ours.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cookie {
    /// Its name, to which `__Host-` is added where the outside speaks https: a browser then takes it from this
    /// host only, never from a sibling of the domain.
    pub(crate) name: &'static str,
    /// `Lax`: sent when a link leads here. `Strict`: only from our own pages.
    pub(crate) same_site: &'static str,
}

impl Cookie {
    fn full_name(self, app: &App) -> String {
        let prefix = if app.config.http.public_url.is_https() {
            "__Host-"
        } else {
            ""
        };
        format!("{prefix}{}", self.name)
    }

    /// Its value in a request.
    pub(crate) fn read<'a>(self, app: &App, headers: &'a HeaderMap) -> Option<&'a str> {
        let name = self.full_name(app);
        let values = headers
            .get_all(header::COOKIE)
            .iter()
            .filter_map(|value| value.to_str().ok());
        let mut pairs = values
            .flat_map(|value| value.split(';'))
            .filter_map(|pair| pair.trim().split_once('='));
        pairs.find(|(found, _)| *found == name).map(|(_, value)| value)
    }

    /// The header that sets it for `max_age`. The value is base64url or empty.
    pub(crate) fn set(self, app: &App, value: &str, max_age: Duration) -> Option<HeaderValue> {
        let secure = if app.config.http.public_url.is_https() {
            "; Secure"
        } else {
            ""
        };
        let text = format!(
            "{}={value}; Path=/; Max-Age={}; HttpOnly; SameSite={}{secure}",
            self.full_name(app),
            max_age.as_secs(),
            self.same_site
        );
        HeaderValue::try_from(text).ok()
    }

    /// The header that takes it away.
    pub(crate) fn clear(self, app: &App) -> Option<HeaderValue> {
        self.set(app, "", Duration::ZERO)
    }
}

/// Adds a `Set-Cookie` header to a response.
pub(crate) fn add(response: &mut axum::response::Response, cookie: Option<HeaderValue>) {
    if let Some(cookie) = cookie {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
}
