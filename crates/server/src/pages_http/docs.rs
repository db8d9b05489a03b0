//! `GET /docs`: `openapi.json` as a page.

use axum::Extension;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;

use crate::app::App;
use crate::http::Problem;
use crate::http::openapi::Document;
use crate::http::pages::Lang;
use crate::http::pages::docs::Docs;

/// Every route, told to a person.
pub(crate) async fn page(
    State(app): State<App>,
    Extension(document): Extension<Document>,
    lang: Lang,
) -> Result<Response, Problem> {
    let document = serde_json::from_slice(document.bytes()).map_err(Problem::internal)?;
    Ok(app
        .pages
        .answer(StatusCode::OK, &Docs::of(&document), lang, app.now()))
}
