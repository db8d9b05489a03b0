//! The headers of pages.

use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::{Lang, PageError};

/// What a captured letter may do inside its frame: show its own styles, and open links in new windows.
const LETTER_CSP: &str = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; \
                          sandbox allow-popups allow-popups-to-escape-sandbox; frame-ancestors 'self'";

pub(super) fn page(
    status: StatusCode,
    html: Result<String, PageError>,
    csp: &'static str,
    lang: Lang,
) -> Response {
    match html {
        Ok(html) => {
            let mut response = (status, html).into_response();
            guard(response.headers_mut(), csp);
            set(response.headers_mut(), header::CONTENT_LANGUAGE, lang.as_str());
            set(response.headers_mut(), header::VARY, "Accept-Language, Cookie");
            response
        }
        Err(error) => {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                "a page could not be rendered"
            );
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

/// A captured letter's HTML, for the frame on its page: on an address of its own, since a frame with the
/// letter inside would inherit the page's policy and lose every style.
pub fn frame(html: &str) -> Response {
    // The first tag of any document we render; a letter without a head gets none, and its links stay inside.
    let html = html.replacen("<head>", "<head><base target=\"_blank\">", 1);
    let mut response = html.into_response();
    guard(response.headers_mut(), LETTER_CSP);
    response
}

fn guard(headers: &mut HeaderMap, csp: &'static str) {
    set(headers, header::CONTENT_TYPE, "text/html; charset=utf-8");
    set(headers, header::CONTENT_SECURITY_POLICY, csp);
    // A link's token stands in the address: no other site may learn it, no cache may keep it.
    set(headers, header::REFERRER_POLICY, "no-referrer");
    set(headers, header::CACHE_CONTROL, "no-store");
    set(headers, header::X_CONTENT_TYPE_OPTIONS, "nosniff");
}

fn set(headers: &mut HeaderMap, name: HeaderName, value: &'static str) {
    headers.insert(name, HeaderValue::from_static(value));
}
