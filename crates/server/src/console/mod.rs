//! The pages of an administrator: set up, log in, and the captured mail.
//!
//! Administrators are no users: they have their own table, their own cookie and their own login.

pub mod administrators;
mod inbox;
mod letter;
mod login;
mod logout;
mod session;
mod set_up;

use axum::Router;
use axum::response::Redirect;
use axum::routing::{get, post};

use crate::app::App;
use crate::pages_http::browser_only;

/// `/console` and what is below it.
pub fn router(app: &App) -> Router<App> {
    let router = Router::new()
        .route("/console", get(|| async { Redirect::to("/console/inbox") }))
        .route("/console/set-up", get(set_up::page).post(set_up::submit))
        .route("/console/login", get(login::page).post(login::submit))
        .route("/console/logout", post(logout::submit))
        .route("/console/inbox", get(inbox::page))
        .route("/console/inbox/{id}", get(letter::page))
        .route("/console/inbox/{id}/html", get(letter::html));
    browser_only(router, app)
}
