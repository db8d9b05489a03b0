//! Everything that can be sent wrongly to every route that takes a body: a 4xx problem with a code, never a
//! 500, and nothing written.

use gatepost::testing::TestApp;
use serde_json::{Value, json};

use crate::unauthorized::{SIMPLEJWT, concrete, operations};
use crate::{ANNA, OWLS, on_both};

on_both!(every_route_stands_bad_bodies);

fn bad_bodies() -> Vec<(&'static str, Vec<u8>)> {
    let deep = |n: usize| format!("{}{}", "{\"a\":".repeat(n), "1").into_bytes();
    let mut bodies: Vec<(&'static str, Vec<u8>)> = vec![
        ("empty", Vec::new()),
        ("cut short", b"{\"email\": \"a".to_vec()),
        ("not UTF-8", b"{\"email\": \"\xff\xfe@example.com\"}".to_vec()),
        (
            "a NUL",
            b"{\"email\": \"a\\u0000@example.com\", \"password\": \"seven owls in\\u0000 an attic\"}"
                .to_vec(),
        ),
        ("deep", deep(100)),
        ("very deep", deep(10_000)),
        ("a list", b"[]".to_vec()),
        ("a text", b"\"text\"".to_vec()),
        ("null", b"null".to_vec()),
        ("a number", b"1e999".to_vec()),
        (
            "10 MB",
            format!("{{\"email\": \"{}\"}}", "a".repeat(10 * 1024 * 1024)).into_bytes(),
        ),
    ];
    let fields = [
        "email", "password", "token", "refresh", "current", "new", "user_id", "purpose", "to_email",
        "template", "title", "message", "locale", "lifetime",
    ];
    let with_all = |value: Value| {
        let object: serde_json::Map<String, Value> = fields
            .iter()
            .map(|field| ((*field).to_owned(), value.clone()))
            .collect();
        Value::Object(object).to_string().into_bytes()
    };
    bodies.push(("all numbers", with_all(json!(7))));
    bodies.push(("all null", with_all(json!(null))));
    bodies.push(("all lists", with_all(json!([[]]))));
    bodies.push(("all too long", with_all(json!("a".repeat(20_000)))));
    bodies.push((
        "line breaks",
        with_all(json!("anna@example.com\r\nBcc: b@example.com")),
    ));
    bodies.push(("all empty", with_all(json!(""))));
    bodies
}

/// simplejwt's routes say what is wrong as Django does.
const DJANGOS: &str = "/api/token/";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn simplejwts_routes_stand_bad_bodies() {
    let app = TestApp::with(&SIMPLEJWT).await;
    app.user(ANNA, OWLS).await;
    let document = app.get("/openapi.json").await.body;
    let before = app.app.store.stats().rows_written;
    let operations = operations(&document);
    let described: Vec<_> = operations
        .iter()
        .filter(|(_, path, _)| path.starts_with(DJANGOS))
        .collect();
    assert_eq!(described.len(), 4);
    for (_, path, _) in described {
        for (name, body) in bad_bodies() {
            let request = app
                .request("POST", path)
                .header("content-type", "application/json");
            let answer = request.bytes(body).send().await;
            let what = format!("{path}, {name}: {} {:?}", answer.status, answer.body);
            assert!((400..500).contains(&answer.status), "{what}");
            assert_eq!(answer.header("content-type"), Some("application/json"), "{what}");
            assert!(answer.body.is_object(), "{what}");
        }
    }
    assert_eq!(
        app.app.store.stats().rows_written,
        before,
        "something was written"
    );
}

async fn every_route_stands_bad_bodies(app: TestApp) {
    app.user(ANNA, OWLS).await;
    let (access, _) = app.log_in(ANNA, OWLS).await;
    let key = app.api_key().await;
    // Its first use is noted, once a minute.
    app.request("GET", "/api/service/users").bearer(&key).send().await;
    let document = app.get("/openapi.json").await.body;
    let (letters, before) = (app.letters(ANNA).await.len(), app.app.store.stats().rows_written);
    let mut tried = 0;
    for (method, path, operation) in operations(&document) {
        if !operation["requestBody"].is_object() || path.starts_with(DJANGOS) {
            continue;
        }
        tried += 1;
        let with_key = operation["security"].to_string().contains("api_key");
        let credential = if with_key { &key } else { &access };
        for (name, body) in bad_bodies() {
            // What a route leaves out may be missing: an empty change is a change of nothing.
            if method == "patch" && ["all null"].contains(&name) {
                continue;
            }
            let mut request = app.request(&method.to_uppercase(), &concrete(&path));
            if operation["security"].is_array() {
                request = request.bearer(credential);
            }
            let answer = request
                .header("content-type", "application/json")
                .bytes(body)
                .send()
                .await;
            // What RFC 7662 and 7009 say about forms, in their words: tests/api/service/oauth.rs.
            if path.starts_with("/oauth/") {
                assert_eq!(answer.status, 400, "{method} {path}, {name}: {:?}", answer.body);
                assert_eq!(answer.body["error"], "invalid_request", "{path}, {name}");
                continue;
            }
            let what = format!("{method} {path}, {name}: {} {:?}", answer.status, answer.body);
            // Of any text at all it can be said that it is no good token.
            if path == "/api/auth/verify" && answer.body == json!({"active": false}) {
                continue;
            }
            assert!((400..500).contains(&answer.status), "{what}");
            assert!(!answer.code().is_empty(), "{what}");
            assert_eq!(
                answer.header("content-type"),
                Some("application/problem+json"),
                "{what}"
            );
        }
        let untyped = app
            .request(&method.to_uppercase(), &concrete(&path))
            .bearer(credential)
            .bytes(b"{}".to_vec());
        assert!(
            (400..500).contains(&untyped.send().await.status),
            "{method} {path} without a content type"
        );
    }
    assert!(tried >= 10, "only {tried} routes take a body");
    app.run_pending().await;
    assert_eq!(app.letters(ANNA).await.len(), letters);
    assert_eq!(
        app.app.store.stats().rows_written,
        before,
        "something was written"
    );
}
