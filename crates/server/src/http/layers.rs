//! What happens around every request, from the outside in: who asks, how long it may take, what every
//! answer carries.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::{ConnectInfo, MatchedPath, Request, State};
use axum::http::{HeaderName, HeaderValue, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures_util::FutureExt;
use tracing::Instrument;

use super::client::TrustedProxies;
use super::code::Code;
use super::problem::Problem;
use crate::app::App;
use crate::logs::request::{InHand, RequestId};
use crate::metrics::Metrics;
use crate::pages_http::failure::{accepts_html, as_page};

/// What the layers need to know.
#[derive(Debug, Clone)]
pub struct Around {
    /// Whose forwarding headers are believed.
    pub proxies: TrustedProxies,
    /// After this long a request is answered 408, its body read or not.
    pub timeout: Duration,
    /// Whether the outside speaks https: then browsers are told to insist on it.
    pub https: bool,
    /// Where times are noted.
    pub metrics: Arc<Metrics>,
    /// Who draws a problem as a page for a browser. Here and not in a layer of its own, which every request would pay for.
    pub pages: Option<App>,
}

pub(super) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The outermost layer: an id, the client, a span, the clock, a net for panics, pages for browsers, the headers.
pub async fn around(State(around): State<Arc<Around>>, mut request: Request, next: Next) -> Response {
    let started = Instant::now();
    let peer = request
        .extensions()
        .get::<ConnectInfo<SocketAddr>>()
        .map(|info| info.0);
    let client = around.proxies.client(peer, request.headers());
    request.extensions_mut().insert(client);
    let id = RequestId::next();
    let in_hand = InHand {
        id,
        method: request.method().clone(),
        route: request.extensions().get::<MatchedPath>().cloned(),
        client: client.0,
    };
    let matched = in_hand.route.clone();
    let span = tracing::debug_span!(
        "request",
        %id,
        method = %in_hand.method,
        route = in_hand.route(),
        network = in_hand.network()
    );

    let work = async {
        let work = async {
            match around.pages.as_ref().filter(|_| accepts_html(request.headers())) {
                Some(app) => as_page(app, request, next).await,
                None => next.run(request).await,
            }
        };
        let work = std::panic::AssertUnwindSafe(work).catch_unwind();
        let response = match tokio::time::timeout(around.timeout, work).await {
            Ok(Ok(response)) => response,
            Ok(Err(panic)) => Problem::internal(panic_text(&*panic)).into_response(),
            Err(_) => Problem::new(Code::RequestTimeout).into_response(),
        };
        tracing::debug!(
            status = response.status().as_u16(),
            ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
            "answered"
        );
        response
    };
    let mut response = in_hand.during(work.instrument(span)).await;

    let status = response.status().as_u16();
    let route = matched.as_ref().map_or("-", MatchedPath::as_str);
    around.metrics.http.note(route, status, started.elapsed());
    set_headers(&mut response, around.https);
    response.headers_mut().insert(REQUEST_ID, id.header());
    response
}

/// Every answer's headers, where the endpoint has not set its own.
fn set_headers(response: &mut Response, https: bool) {
    let headers = response.headers_mut();
    // With those of the endpoint: growing on the way costs more than all of them.
    headers.reserve(8);
    let mut or_else = |name: HeaderName, value: &'static str| {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    };
    // Answers hold accounts and tokens; what may be kept (a style sheet) says so itself.
    or_else(header::CACHE_CONTROL, "no-store");
    or_else(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    or_else(header::REFERRER_POLICY, "no-referrer");
    or_else(header::X_FRAME_OPTIONS, "DENY");
    or_else(
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; frame-ancestors 'none'",
    );
    if https {
        or_else(header::STRICT_TRANSPORT_SECURITY, "max-age=31536000");
    }
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(ToString::to_string);
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
    format!("panicked: {}", text.as_deref().unwrap_or("with no message"))
}

/// Where no route is.
pub async fn not_found() -> Problem {
    Problem::not_found()
}

/// Where a route is, but not with this method.
pub async fn method_not_allowed() -> Problem {
    Problem::new(Code::MethodNotAllowed)
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::body::Body;
    use axum::routing::get;
    use tower::ServiceExt;

    use super::*;

    async fn ask(router: Router, path: &str) -> Response {
        let around = Around {
            proxies: TrustedProxies::default(),
            timeout: Duration::from_millis(50),
            https: true,
            metrics: Arc::default(),
            pages: None,
        };
        let router = router.layer(axum::middleware::from_fn_with_state(
            Arc::new(around),
            super::around,
        ));
        router
            .oneshot(Request::get(path).body(Body::empty()).unwrap())
            .await
            .unwrap()
    }

    async fn code(response: Response) -> String {
        let body = axum::body::to_bytes(response.into_body(), 9_999).await.unwrap();
        serde_json::from_slice::<serde_json::Value>(&body).unwrap()["code"]
            .as_str()
            .unwrap()
            .to_owned()
    }

    #[tokio::test]
    async fn a_panic_is_an_answer_that_tells_nothing() {
        async fn explode() {
            panic!("the secret is 42")
        }
        let response = ask(Router::new().route("/explode", get(explode)), "/explode").await;
        assert_eq!(response.status(), 500);
        assert!(response.headers().contains_key("x-request-id"));
        assert_eq!(
            response.headers()["strict-transport-security"],
            "max-age=31536000"
        );
        let body = axum::body::to_bytes(response.into_body(), 9_999).await.unwrap();
        let body = String::from_utf8(body.to_vec()).unwrap();
        assert!(body.contains("\"internal\"") && !body.contains("42"), "{body}");
    }

    #[tokio::test]
    async fn what_takes_too_long_is_answered() {
        let router = Router::new().route("/sleep", get(std::future::pending::<()>));
        let response = ask(router, "/sleep").await;
        assert_eq!(response.status(), 408);
        assert_eq!(code(response).await, "request_timeout");
    }
}
