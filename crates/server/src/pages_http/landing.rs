//! `GET /`.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;

use crate::app::App;
use crate::config::{Module, Registration};
use crate::http::pages::Lang;
use crate::http::pages::view::{Door, Landing};

/// What this is, and where to go.
pub(crate) async fn page(State(app): State<App>, lang: Lang) -> Response {
    let has = |module| app.config.modules.has(module);
    // Behind a door of their own, the console and the documents are not linked from the public one.
    let one_door = app.config.http.admin_bind.is_none();
    let page = Landing {
        registration: match app.config.accounts.registration {
            Registration::Open if has(Module::Accounts) => Door::Open,
            Registration::Invite if has(Module::Accounts) => Door::Invite,
            _ => Door::Closed,
        },
        console: one_door && has(Module::Console),
        docs: one_door,
    };
    app.pages.answer(StatusCode::OK, &page, lang, app.now())
}
