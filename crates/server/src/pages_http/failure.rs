//! A problem as a page, for who looks at it in a browser.

use axum::body::to_bytes;
use axum::extract::Request;
use axum::http::{HeaderMap, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

use crate::app::App;
use crate::http::Problem;
use crate::http::pages::Lang;
use crate::http::pages::view::Failure;

/// The part of a problem document that a page shows.
#[derive(Deserialize)]
struct Document {
    code: String,
}

/// Answers a request for a page, and a problem with one. Programs get the document.
pub(crate) async fn as_page(app: &App, request: Request, next: Next) -> Response {
    let lang = Lang::of(request.uri(), request.headers());
    let response = next.run(request).await;
    let is_problem = response
        .headers()
        .get(header::CONTENT_TYPE)
        .is_some_and(|kind| kind == "application/problem+json");
    if !is_problem {
        return response;
    }
    let (status, retry_after) = (
        response.status(),
        response.headers().get(header::RETRY_AFTER).cloned(),
    );
    let document = to_bytes(response.into_body(), 64 * 1024).await.ok();
    let Some(Document { code }) = document.and_then(|bytes| serde_json::from_slice(&bytes).ok()) else {
        return Problem::internal("a problem document of ours does not parse").into_response();
    };
    let mut page = Failure::new(status, code);
    if let Some(seconds) = retry_after
        .as_ref()
        .and_then(|value| value.to_str().ok()?.parse().ok())
    {
        page = page.retry_after(seconds);
    }
    let mut response = app.pages.answer(status, &page, lang, app.now());
    if let Some(value) = retry_after {
        response.headers_mut().insert(header::RETRY_AFTER, value);
    }
    response
}

/// Whether whoever asks would look at the answer in a browser.
pub(crate) fn accepts_html(headers: &HeaderMap) -> bool {
    headers
        .get_all(header::ACCEPT)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .any(|value| value.contains("text/html"))
}
