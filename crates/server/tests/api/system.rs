use gatepost::testing::TestApp;

use crate::on_both;

on_both!(health_and_headers);

async fn health_and_headers(app: TestApp) {
    let health = app.get("/healthz").await;
    assert_eq!((health.status, health.text("status").as_str()), (200, "ok"));
    assert_eq!(app.get("/readyz").await.text("status"), "ready");
    for (name, value) in [
        ("cache-control", "no-store"),
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "no-referrer"),
        ("x-frame-options", "DENY"),
    ] {
        assert_eq!(health.header(name), Some(value));
    }
    assert_ne!(
        health.header("x-request-id"),
        app.get("/healthz").await.header("x-request-id")
    );
    let head = app.request("HEAD", "/healthz").send().await;
    assert_eq!((head.status, head.bytes.len()), (200, 0));
    let nothing = app.get("/nothing/here").await;
    assert_eq!((nothing.status, nothing.code()), (404, "not_found"));
    assert_eq!(nothing.header("content-type"), Some("application/problem+json"));
    let method = app.request("DELETE", "/api/users").send().await;
    assert_eq!(
        (method.status, method.code(), method.header("allow")),
        (405, "method_not_allowed", Some("POST"))
    );
    app.app.lifecycle.begin_stopping();
    let stopping = app.get("/readyz").await;
    assert_eq!(
        (stopping.status, stopping.code()),
        (503, "dependency_unavailable")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn browsers_of_other_origins_are_let_in_by_name_only() {
    let app = TestApp::with(&[("GATEPOST__HTTP__CORS_ORIGINS", "https://shop.example")]).await;
    let from = |origin: &'static str| app.request("GET", "/healthz").header("origin", origin).send();
    let shop = from("https://shop.example").await;
    assert_eq!(
        shop.header("access-control-allow-origin"),
        Some("https://shop.example")
    );
    assert_eq!(
        from("https://shop.example.evil.test")
            .await
            .header("access-control-allow-origin"),
        None
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_description_in_the_repository_is_the_one_that_is_served() {
    let app = TestApp::sqlite().await;
    let served = app.get("/openapi.json").await;
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../openapi.json");
    if std::env::var_os("GATEPOST_WRITE").is_some() {
        std::fs::write(path, &served.bytes).unwrap();
    }
    let kept = std::fs::read(path).unwrap_or_default();
    assert!(
        kept == served.bytes,
        "openapi.json is out of date: GATEPOST_WRITE=1 cargo test -p gatepost --all-features --test api description"
    );
}
