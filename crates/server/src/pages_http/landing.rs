//! `GET /`.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;

use crate::app::App;
use crate::config::{Module, Registration};
use crate::http::pages::Lang;
use crate::http::pages::view::Landing;

/// What this is, and where to go.
pub(crate) async fn page(State(app): State<App>, lang: Lang) -> Response {
    let has = |module| app.config.modules.has(module);
    let page = Landing {
        registration_open: has(Module::Accounts) && app.config.accounts.registration == Registration::Open,
        console: has(Module::Console),
        docs: true,
    };
    app.pages.answer(StatusCode::OK, &page, lang, app.now())
}
