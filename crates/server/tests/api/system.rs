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

#[tokio::test(flavor = "multi_thread")]
async fn a_module_that_is_off_is_not_there() {
    let app = TestApp::with(&[("GATEPOST__MODULES", "tokens,mail,messaging")]).await;
    for path in ["/api/users", "/api/auth/login"] {
        let answer = app.post(path, serde_json::json!({})).await;
        assert_eq!((answer.status, answer.code()), (404, "not_found"), "{path}");
    }
    let document = app.get("/openapi.json").await.body;
    assert!(document["paths"]["/api/auth/login"].is_null() && document["paths"]["/healthz"].is_object());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_confirmed_is_forgotten() {
    let app = TestApp::sqlite().await;
    app.post(
        "/api/users",
        serde_json::json!({"email": crate::ANNA, "password": crate::OWLS}),
    )
    .await;
    app.run_pending().await;
    app.advance(std::time::Duration::from_secs(31 * 86_400));
    app.sweep().await;
    assert!(
        app.letters(crate::ANNA).await.is_empty(),
        "captured letters go after retention.mail"
    );
    app.post(
        "/api/users/activate/resend",
        serde_json::json!({"email": crate::ANNA}),
    )
    .await;
    app.run_pending().await;
    assert!(app.letters(crate::ANNA).await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_under_way_is_finished_before_the_program_ends() {
    let mut app = TestApp::sqlite().await;
    let body = serde_json::json!({"email": crate::ANNA, "password": crate::OWLS});
    let request = app.request("POST", "/api/users").json(body);
    let under_way = tokio::spawn(request.send());
    while !app
        .app
        .store
        .stats()
        .transactions
        .contains_key("enqueue_messages")
        && !under_way.is_finished()
    {
        tokio::task::yield_now().await;
    }
    app.stop();
    assert_eq!(under_way.await.unwrap().status, 202);
    app.leave_work();
    let next = app.second_instance().await;
    next.run_pending().await;
    assert_eq!(
        next.letters(crate::ANNA).await.len(),
        1,
        "and what it asked for is done at the next start"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_door_takes_the_console_and_the_keys_with_it() {
    use axum::body::Body;
    use axum::http::Request;
    use gatepost::roles::Roles;
    use gatepost::router::{Side, router};
    use tower::ServiceExt;

    let app = TestApp::sqlite().await;
    let worker = Roles {
        api: false,
        ..Roles::ALL
    };
    for (roles, side, path, there) in [
        (Roles::ALL, Side::Public, "/api/users/me", true),
        (Roles::ALL, Side::Public, "/login", true),
        (Roles::ALL, Side::Public, "/api/service/users", false),
        (Roles::ALL, Side::Public, "/console/login", false),
        (Roles::ALL, Side::Admin, "/api/service/users", true),
        (Roles::ALL, Side::Admin, "/console/login", true),
        (Roles::ALL, Side::Admin, "/api/users/me", false),
        (Roles::ALL, Side::Admin, "/login", false),
        (Roles::ALL, Side::Both, "/api/service/users", true),
        (worker, Side::Both, "/api/users/me", false),
        (worker, Side::Both, "/readyz", true),
    ] {
        let request = Request::get(path).body(Body::empty()).unwrap();
        let answer = router(&app.app, roles, side)
            .unwrap()
            .oneshot(request)
            .await
            .unwrap();
        assert_eq!(
            answer.status() != 404,
            there,
            "{path} {side:?} {roles}: {}",
            answer.status()
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_knows_another_secret_is_left_alone() {
    use gatepost::app::{App, BuildError};
    use gatepost::config::{Config, Origin};

    let folder = tempfile::tempdir().unwrap();
    let build = |secret: &str, previous: &str| {
        let config = Config::load(&Origin::of([
            ("GATEPOST__DATA_DIR", folder.path().to_str().unwrap()),
            ("GATEPOST__TOKENS__SECRET", secret),
            ("GATEPOST__TOKENS__PREVIOUS_SECRETS", previous),
        ]));
        App::build(config.unwrap())
    };
    let (old, new) = ("o".repeat(40), "n".repeat(40));
    build(&old, "").await.unwrap().store.close().await;
    assert!(matches!(build(&new, "").await, Err(BuildError::OtherSecret(_))));
    build(&new, &old).await.unwrap().store.close().await;
}
