//! Every endpoint, one line each.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::DefaultBodyLimit;
use axum::{Extension, Router, middleware};
use tower::ServiceBuilder;
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::accounts::{accept_invitation, activate, confirm_email, forgot, me, register, resend, reset};
use crate::app::App;
use crate::auth::{login, logout, logout_everywhere, refresh, sessions, verify};
use crate::config::Module;
use crate::console;
use crate::http::client::TrustedProxies;
use crate::http::cors::Cors;
use crate::http::health;
use crate::http::layers::{self, Around};
use crate::http::openapi::{self, Api, Document};
use crate::keys;
use crate::metrics;
use crate::pages_http;
use crate::roles::Roles;
use crate::service;
use crate::simplejwt;

/// No body but a mail's is larger than this.
const BODY_LIMIT: usize = 64 * 1_024;
/// After this long a request is answered, whatever it waits for.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);

/// Which of the program's two doors a router is for (`http.admin_bind`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// There is one door for all.
    Both,
    /// For people and their programs.
    Public,
    /// For administrators and for programs with a key.
    Admin,
}

impl Side {
    fn is_public(self) -> bool {
        self != Self::Admin
    }

    fn is_admin(self) -> bool {
        self != Self::Public
    }
}

/// What every role answers.
fn system() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(health::healthz))
        .routes(routes!(health::readyz))
        .routes(routes!(openapi::openapi))
}

/// The life of an account.
fn accounts() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(register::register))
        .routes(routes!(activate::activate))
        .routes(routes!(resend::resend))
        .routes(routes!(forgot::forgot))
        .routes(routes!(reset::reset))
        .routes(routes!(me::get::get, me::update::update, me::delete::delete))
        .routes(routes!(me::password::password))
        .routes(routes!(me::email::email))
        .routes(routes!(confirm_email::confirm))
        .routes(routes!(accept_invitation::accept))
}

/// Sessions.
fn auth() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(login::login))
        .routes(routes!(refresh::refresh))
        .routes(routes!(logout::logout))
        .routes(routes!(verify::verify))
        .routes(routes!(sessions::list::list))
        .routes(routes!(sessions::end::end))
        .routes(routes!(logout_everywhere::logout_everywhere))
}

/// Everything that stands in `openapi.json`, for the modules that are on.
fn api(app: &App, roles: Roles, side: Side) -> OpenApiRouter<App> {
    let mut document = Api::openapi();
    if roles.api && side.is_public() && app.config.modules.has(Module::Accounts) {
        // Described whether or not a Django's dialect is on: the document is the same everywhere.
        document.merge(simplejwt::Routes::openapi());
    }
    let mut router = OpenApiRouter::with_openapi(document).merge(system());
    if side.is_admin() {
        router = router.routes(routes!(metrics::show::metrics));
    }
    if roles.api && side.is_public() && app.config.modules.has(Module::Accounts) {
        router = router.merge(accounts()).merge(auth());
    }
    if roles.api && side.is_public() && app.config.modules.has(Module::Tokens) {
        router = router.routes(routes!(keys::jwks));
    }
    if roles.api && side.is_admin() {
        router = router.merge(service::router(&app.config.modules));
    }
    router
}

/// What people see in a browser.
fn pages(app: &App, roles: Roles, side: Side) -> Router<App> {
    let mut router = Router::new();
    if !roles.api {
        return router;
    }
    if side.is_public() {
        if app.config.modules.has(Module::Accounts) {
            router = router.merge(simplejwt::router(app));
        }
        router = router.merge(pages_http::router(app));
    }
    if side.is_admin() {
        router = router.merge(pages_http::docs_router(app));
        if app.config.modules.has(Module::Console) {
            router = router.merge(console::router(app));
        }
    }
    router.merge(pages_http::assets_router())
}

/// The whole program as one service.
pub fn router(app: &App, roles: Roles, side: Side) -> Result<Router, serde_json::Error> {
    let (router, document) = api(app, roles, side).split_for_parts();
    let around = Around {
        proxies: TrustedProxies::new(app.config.http.trusted_proxies.clone()),
        timeout: REQUEST_TIMEOUT,
        https: app.config.http.public_url.is_https(),
        metrics: Arc::clone(&app.metrics),
        pages: Some(app.clone()),
    };
    let cors = (!app.config.http.cors_origins.is_empty()).then(|| Cors::new(&app.config));
    // One stack, not one `.layer()` each: every one of those boxes all routes once more, to be cloned by each
    // request.
    let stack = ServiceBuilder::new()
        .layer(middleware::from_fn_with_state(Arc::new(around), layers::around))
        .option_layer(cors)
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
        .layer(Extension(Document::new(&document)?));
    let beside_django = roles.api && side.is_public() && app.config.uses_simplejwt();
    let router = router.merge(pages(app, roles, side));
    let router = if beside_django && app.config.modules.has(Module::Accounts) {
        router.fallback(simplejwt::not_found)
    } else {
        router.fallback(layers::not_found)
    };
    Ok(router
        .method_not_allowed_fallback(layers::method_not_allowed)
        .layer(stack)
        .with_state(app.clone()))
}
