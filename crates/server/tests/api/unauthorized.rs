//! Every route that says it needs credentials is asked without any, with wrong ones, and with those of the
//! other kind. The open ones stand here by name, so that a new one cannot be open by oversight.

use gatepost::testing::{Answer, TestApp};
use serde_json::{Value, json};

/// Open to anybody, on purpose.
const OPEN: &[(&str, &str)] = &[
    ("get", "/.well-known/jwks.json"),
    ("get", "/healthz"),
    ("get", "/metrics"),
    ("get", "/openapi.json"),
    ("get", "/readyz"),
    ("post", "/api/auth/login"),
    ("post", "/api/auth/logout"),
    ("post", "/api/auth/refresh"),
    ("post", "/api/auth/verify"),
    ("post", "/api/token/"),
    ("post", "/api/token/blacklist/"),
    ("post", "/api/token/refresh/"),
    ("post", "/api/token/verify/"),
    ("post", "/api/users"),
    ("post", "/api/users/activate"),
    ("post", "/api/users/activate/resend"),
    ("post", "/api/users/email/confirm"),
    ("post", "/api/users/invitation/accept"),
    ("post", "/api/users/password/forgot"),
    ("post", "/api/users/password/reset"),
];

/// What simplejwt's dialect takes.
pub(crate) const SIMPLEJWT: [(&str, &str); 2] = [
    ("GATEPOST__TOKENS__DIALECT", "simplejwt"),
    (
        "GATEPOST__SIMPLEJWT__SIGNING_KEY",
        "django-insecure-0123456789abcdefghijklmnopqrstuvwxyz",
    ),
];

pub(crate) fn operations(document: &Value) -> Vec<(String, String, Value)> {
    let mut operations = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            operations.push((method.clone(), path.clone(), operation.clone()));
        }
    }
    operations.sort_by(|a, b| (&a.0, &a.1).cmp(&(&b.0, &b.1)));
    operations
}

/// The path with something in place of `{id}`.
pub(crate) fn concrete(path: &str) -> String {
    path.split('/')
        .map(|part| {
            if part.starts_with('{') {
                "0197c0de-0000-7000-8000-000000000000"
            } else {
                part
            }
        })
        .collect::<Vec<_>>()
        .join("/")
}

/// What an error calls itself, here or in RFC 6749.
fn said(answer: &Answer) -> &str {
    answer.body["error"].as_str().unwrap_or(answer.code())
}

#[tokio::test(flavor = "multi_thread")]
async fn every_route_with_security_refuses_without_credentials() {
    // simplejwt's routes are described everywhere, and there only with its dialect.
    let app = TestApp::with(&SIMPLEJWT).await;
    let document = app.get("/openapi.json").await.body;
    let operations = operations(&document);
    let open: Vec<(&str, &str)> = operations
        .iter()
        .filter(|(_, _, operation)| operation["security"].as_array().is_none_or(Vec::is_empty))
        .map(|(method, path, _)| (method.as_str(), path.as_str()))
        .collect();
    assert_eq!(open, OPEN, "the routes without `security`");
    for (method, path) in open {
        let answer = app.request(&method.to_uppercase(), path).send().await;
        assert_ne!(
            answer.code(),
            "not_found",
            "{method} {path} is described and not there"
        );
    }
    let mut guarded = 0;
    for (method, path, operation) in &operations {
        if operation["security"].as_array().is_none_or(Vec::is_empty) {
            continue;
        }
        guarded += 1;
        let request = || {
            let request = app.request(&method.to_uppercase(), &concrete(path));
            if operation["requestBody"].is_object() {
                request.json(json!({}))
            } else {
                request
            }
        };
        let bare = request().send().await;
        let (missing, invalid) = if path.starts_with("/oauth/") {
            ("invalid_client", ["invalid_client"; 2])
        } else {
            ("credentials_missing", ["api_key_invalid", "token_malformed"])
        };
        assert_eq!((bare.status, said(&bare)), (401, missing), "{method} {path}");
        assert!(
            bare.header("www-authenticate")
                .is_some_and(|value| value.starts_with("Bearer"))
        );
        for wrong in ["nonsense", "gp_nonsense", "eyJhbGciOiJub25lIn0.e30."] {
            let answer = request().bearer(wrong).send().await;
            assert_eq!(answer.status, 401, "{method} {path} with {wrong}: {answer:?}");
            assert!(invalid.contains(&said(&answer)), "{answer:?}");
        }
        let basic = request().header("authorization", "Basic Z3A6Z3A=").send().await;
        assert_eq!(basic.status, 401, "{method} {path}");
    }
    assert!(guarded >= 7, "only {guarded} guarded routes were found");
}
