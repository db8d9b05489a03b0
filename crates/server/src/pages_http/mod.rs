//! The hosted pages: the whole journey of an account in a browser, without JavaScript.
//!
//! A GET changes nothing, so that scanners of mail may open every link; what changes something is a form
//! that a person sends. The pages call the same functions as the API, so that the two cannot differ; how a
//! page looks is [`crate::http::pages`]'s.
//!
//! Who logs in here has an ordinary session, listed among the others; its cookie holds the session's id,
//! sealed, and no token. It lives as long as a session that is not refreshed.

mod account;
mod activate;
mod confirm_email;
pub(crate) mod cookie;
pub(crate) mod csrf;
mod docs;
pub(crate) mod failure;
mod forgot_password;
pub(crate) mod form;
mod invitation;
mod landing;
mod link;
mod login;
pub(crate) mod origin;
mod register;
mod remember;
mod reset_password;
pub(crate) mod visitor;

use axum::routing::get;
use axum::{Router, middleware};

use crate::app::App;
use crate::config::Module;
use crate::http::pages::assets;

/// The pages of the modules that are switched on.
pub fn router(app: &App) -> Router<App> {
    let mut router = Router::new().route("/", get(landing::page));
    if app.config.modules.has(Module::Accounts) {
        router = router
            .route("/register", get(register::page).post(register::submit))
            .route("/login", get(login::page).post(login::submit))
            .route(
                "/forgot-password",
                get(forgot_password::page).post(forgot_password::submit),
            )
            .route(
                "/activate",
                get(link::page::<activate::Link>).post(activate::submit),
            )
            .route(
                "/reset-password",
                get(link::page::<reset_password::Link>).post(link::choose::<reset_password::Link>),
            )
            .route(
                "/confirm-email",
                get(link::page::<confirm_email::Link>).post(confirm_email::submit),
            )
            .route(
                "/invitation",
                get(link::page::<invitation::Link>).post(link::choose::<invitation::Link>),
            )
            // As Django projects write their links: the Python services, djoser, Django's own views.
            .route("/activate/{token}", get(link::activate))
            .route("/activate/{uid}/{token}", get(link::activate_of))
            .route("/reset-password/{token}", get(link::reset))
            .route("/reset-password/{uid}/{token}", get(link::reset_of))
            .route("/password/reset/confirm/{uid}/{token}", get(link::reset_of))
            .route("/reset/{uid}/{token}/", get(link::reset_of))
            .route("/account", get(account::page).post(account::submit));
    }
    browser_only(router, app)
}

/// `/docs`, which stands with the console on `http.admin_bind`.
pub fn docs_router(app: &App) -> Router<App> {
    browser_only(Router::new().route("/docs", get(docs::page)), app)
}

/// The style sheet and the pictures of every page, wherever there are pages.
pub fn assets_router() -> Router<App> {
    Router::new().route("/assets/{name}", get(assets::serve))
}

/// What pages for a browser have in common: forms of other sites are refused, and the language that was
/// chosen is remembered.
pub(crate) fn browser_only(router: Router<App>, app: &App) -> Router<App> {
    router
        .route_layer(middleware::from_fn_with_state(app.clone(), origin::same_origin))
        .route_layer(middleware::from_fn(remember::language))
}
