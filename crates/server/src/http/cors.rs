//! Which pages of others may call us from a browser.

use std::task::{Context, Poll};
use std::time::Duration;

use axum::extract::Request;
use axum::http::{HeaderName, HeaderValue, Method, header};
use axum::response::Response;
use futures_util::future::Either;
use tower::{Layer, Service};
use tower_http::cors::{self, AllowOrigin, CorsLayer};

use super::layers::REQUEST_ID;
use crate::config::Config;

/// What CORS needs of every answer, and the answer to a preflight. An `OPTIONS` that asks for no leave goes on to its
/// route, which may have an answer of its own (simplejwt's do); tower's layer would keep it.
#[derive(Debug, Clone)]
pub struct Cors(CorsLayer);

impl Cors {
    /// Browsers of exactly the origins of `http.cors_origins` may call the API. Credentials are allowed along only where
    /// the API takes one from a cookie (`auth.refresh_cookie`).
    pub fn new(config: &Config) -> Self {
        let origins = config.http.cors_origins.iter();
        let origins: Vec<HeaderValue> = origins.filter_map(|o| HeaderValue::from_str(o).ok()).collect();
        let mut taken = vec![
            header::AUTHORIZATION,
            header::CONTENT_TYPE,
            HeaderName::from_static("idempotency-key"),
        ];
        // Where a Django beside us has its tokens in a header of its own.
        taken.extend(config.auth_header().filter(|name| *name != header::AUTHORIZATION));
        Self(
            CorsLayer::new()
                .allow_origin(AllowOrigin::list(origins))
                .allow_methods([Method::GET, Method::POST, Method::PATCH, Method::DELETE])
                .allow_headers(taken)
                .expose_headers([header::RETRY_AFTER, REQUEST_ID])
                .allow_credentials(config.auth.refresh_cookie)
                .max_age(Duration::from_secs(600)),
        )
    }
}

impl<S> Layer<S> for Cors {
    type Service = ButPlainOptions<cors::Cors<S>>;

    fn layer(&self, inner: S) -> Self::Service {
        ButPlainOptions(self.0.layer(inner))
    }
}

/// Passes an `OPTIONS` by that is no preflight.
#[derive(Debug, Clone)]
pub struct ButPlainOptions<S>(S);

impl<S> Service<Request> for ButPlainOptions<cors::Cors<S>>
where
    S: Service<Request, Response = Response>,
{
    type Response = Response;
    type Error = S::Error;
    type Future = Either<S::Future, <cors::Cors<S> as Service<Request>>::Future>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.0.poll_ready(context)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        let asks_leave = request
            .headers()
            .contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
        if request.method() == Method::OPTIONS && !asks_leave {
            return Either::Left(self.0.get_mut().call(request));
        }
        Either::Right(self.0.call(request))
    }
}
