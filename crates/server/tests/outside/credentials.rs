//! Every route that takes credentials refuses without them; the open ones stand here by name.

use crate::routes;
use crate::support::sqlite;

/// What anybody may ask. Whoever opens another route writes it down here.
const OPEN: &[&str] = &[
    "GET /.well-known/jwks.json",
    "GET /healthz",
    "GET /metrics",
    "GET /openapi.json",
    "GET /readyz",
    "POST /api/auth/login",
    "POST /api/auth/logout",
    "POST /api/auth/refresh",
    "POST /api/auth/verify",
    "POST /api/token/",
    "POST /api/token/blacklist/",
    "POST /api/token/refresh/",
    "POST /api/token/verify/",
    "POST /api/users",
    "POST /api/users/activate",
    "POST /api/users/activate/resend",
    "POST /api/users/email/confirm",
    "POST /api/users/invitation/accept",
    "POST /api/users/password/forgot",
    "POST /api/users/password/reset",
];

#[test]
fn every_route_but_the_open_ones_refuses_without_credentials() {
    // simplejwt's routes are described everywhere, and there only with its dialect.
    let gatepost = sqlite()
        .unlimited()
        .set("tokens.dialect", "\"simplejwt\"")
        .set(
            "simplejwt.signing_key",
            "\"django-insecure-0123456789abcdefghijklmnopqrstuvwxyz\"",
        )
        .start();
    let client = gatepost.client();
    let mut open = Vec::new();
    for route in routes::all(&client) {
        let name = format!("{} {}", route.method, route.path);
        if route.security.is_empty() {
            let answer = client.send(&route.method, &route.concrete(), None);
            assert_ne!(answer.code(), "not_found", "{name} is described and not there");
            open.push(name);
            continue;
        }
        let body = route
            .body
            .is_some()
            .then(|| serde_json::to_vec(&route.sample()).unwrap());
        let path = route.concrete();
        let keys = [
            "",
            "gp_0123456789abcdef0123456789abcdef",
            "eyJhbGciOiJub25lIn0.e30.",
            "two words",
        ];
        for key in keys {
            let asker = if key.is_empty() {
                client.clone()
            } else {
                client.with_bearer(key)
            };
            let body = body.clone().map(|bytes| ("application/json", bytes));
            let answer = asker.send(&route.method, &path, body);
            assert_eq!(answer.status, 401, "{name} with {key:?}: {}", answer.json());
            let named = !answer.code().is_empty() || answer.json()["error"] == "invalid_client";
            assert!(named, "{name}: {}", answer.json());
            assert!(answer.header("www-authenticate").starts_with("Bearer"), "{name}");
        }
    }
    open.sort();
    assert_eq!(open, OPEN);
}

#[test]
fn a_key_without_the_scope_is_told_which_one_is_missing() {
    let gatepost = sqlite().unlimited().start();
    let client = gatepost.client();
    let events = client.with_bearer(&gatepost.key(&["events:read"]));
    let mail = client.with_bearer(&gatepost.key(&["mail:read"]));
    for route in routes::all(&client) {
        let by_key = route
            .security
            .first()
            .is_some_and(|name| name.to_lowercase().contains("key"));
        if !by_key {
            continue;
        }
        let body = route
            .body
            .is_some()
            .then(|| ("application/json", serde_json::to_vec(&route.sample()).unwrap()));
        // Of the two, the one that does not open this route.
        let poor = if ["/api/events", "/api/revocations"].contains(&route.path.as_str()) {
            &mail
        } else {
            &events
        };
        let answer = poor.send(&route.method, &route.concrete(), body);
        let (found, wanted) = if route.path.starts_with("/oauth/") {
            (answer.json()["error"].to_string(), "\"insufficient_scope\"")
        } else {
            (answer.code(), "scope_missing")
        };
        assert_eq!(
            (answer.status, found),
            (403, wanted.to_owned()),
            "{} {}",
            route.method,
            route.path
        );
    }
}
