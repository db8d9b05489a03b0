//! The language that a reader chose below a page.

use axum::extract::Request;
use axum::http::Method;
use axum::middleware::Next;
use axum::response::Response;

use crate::http::pages::lang;

/// Remembers `?lang=` of a page that was read.
pub(crate) async fn language(request: Request, next: Next) -> Response {
    let chosen = (request.method() == Method::GET).then(|| request.uri().clone());
    let response = next.run(request).await;
    match chosen {
        Some(uri) => lang::remember(response, &uri),
        None => response,
    }
}
