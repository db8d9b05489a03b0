//! Every endpoint, one line each.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::DefaultBodyLimit;
use axum::{Extension, Router, middleware};
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;
use crate::http::client::TrustedProxies;
use crate::http::health;
use crate::http::layers::{self, Around};
use crate::http::openapi::{self, Api, Document};
use crate::roles::Roles;

/// No body but a mail's is larger than this.
const BODY_LIMIT: usize = 64 * 1_024;
/// After this long a request is answered, whatever it waits for.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);

/// What every role answers.
fn system() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(health::healthz))
        .routes(routes!(health::readyz))
}

/// Everything that stands in `openapi.json`, for the modules that are on.
fn api(_app: &App, _roles: Roles) -> OpenApiRouter<App> {
    OpenApiRouter::with_openapi(Api::openapi())
        .merge(system())
        .routes(routes!(openapi::openapi))
}

/// The whole program as one service.
pub fn router(app: &App, roles: Roles) -> Result<Router, serde_json::Error> {
    let (router, document) = api(app, roles).split_for_parts();
    let around = Around {
        proxies: TrustedProxies::new(app.config.http.trusted_proxies.clone()),
        timeout: REQUEST_TIMEOUT,
        https: app.config.http.public_url.is_https(),
    };
    Ok(router
        .fallback(layers::not_found)
        .method_not_allowed_fallback(layers::method_not_allowed)
        .layer(Extension(Document::new(&document)?))
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
        .layer(layers::cors(&app.config.http.cors_origins))
        .layer(middleware::from_fn_with_state(Arc::new(around), layers::around))
        .with_state(app.clone()))
}
