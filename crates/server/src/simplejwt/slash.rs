//! A path without its last slash: Django leads to the one with it (`APPEND_SLASH`), whatever the method was.

use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, Uri, header};
use axum::response::{IntoResponse as _, Response};

use super::{BLACKLIST, OBTAIN, REFRESH, VERIFY};
use crate::app::App;
use crate::http::layers;

/// Where no route is.
pub(crate) async fn not_found(State(app): State<App>, uri: Uri) -> Response {
    match with_slash(&app, &uri) {
        Some(location) => (
            StatusCode::MOVED_PERMANENTLY,
            [
                (header::LOCATION, location),
                (
                    header::CONTENT_TYPE,
                    HeaderValue::from_static("text/html; charset=utf-8"),
                ),
            ],
        )
            .into_response(),
        None => layers::not_found().await.into_response(),
    }
}

/// The place that was meant, if one of simplejwt's routes was.
fn with_slash(app: &App, uri: &Uri) -> Option<HeaderValue> {
    let path = uri.path();
    let settings = &app.config.simplejwt;
    let mut prefixes = settings.prefixes.iter().chain(&settings.sliding_prefixes);
    let meant = prefixes.any(|prefix| {
        let rest = path.strip_prefix(prefix.as_str());
        rest.is_some_and(|rest| {
            [OBTAIN, REFRESH, VERIFY, BLACKLIST]
                .iter()
                .any(|route| route.strip_suffix('/') == Some(rest))
        })
    });
    let query = uri.query().map(|query| format!("?{query}")).unwrap_or_default();
    let location = HeaderValue::from_str(&format!("{path}/{query}")).ok()?;
    meant.then_some(location)
}
