//! Keys of their own: `tokens.algorithm`, `tokens.rotate_every`, `/.well-known/jwks.json`.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use gatepost::testing::TestApp;
use serde_json::{Value, json};

use crate::on_both;
use crate::world::PASSWORD;

const EMAIL: &str = "anna@example.com";

on_both!(
    changing_the_algorithm_logs_nobody_out,
    a_retired_key_is_dead_on_every_instance,
    a_key_is_replaced_on_its_schedule,
);

fn header(token: &str) -> Value {
    let part = token.split('.').next().unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}

async fn me(app: &TestApp, access: &str) -> (u16, String) {
    let answer = app.request("GET", "/api/users/me").bearer(access).send().await;
    (answer.status, answer.code().to_owned())
}

async fn refresh(app: &TestApp, refresh: &str) -> (String, String) {
    let answer = app.post("/api/auth/refresh", json!({ "refresh": refresh })).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    (answer.text("access"), answer.text("refresh"))
}

async fn published(app: &TestApp) -> Vec<Value> {
    let document = app.get("/.well-known/jwks.json").await;
    assert_eq!(document.status, 200, "{document:?}");
    document.body["keys"].as_array().unwrap().clone()
}

async fn changing_the_algorithm_logs_nobody_out(first: TestApp) {
    first.user(EMAIL, PASSWORD).await;
    let (mut access, mut current) = first.log_in(EMAIL, PASSWORD).await;
    assert_eq!(header(&access)["alg"], "HS256");
    assert_eq!(published(&first).await.len(), 0);
    let mut held = vec![access.clone()];
    for (round, algorithm) in ["ES256", "EdDSA", "HS512", "PS256", "HS256"]
        .into_iter()
        .enumerate()
    {
        let next = first
            .second_instance_with(&[("GATEPOST__TOKENS__ALGORITHM", algorithm)])
            .await;
        // What was signed before is good, here and at the instance that is still of the old configuration.
        for old in &held {
            assert_eq!(me(&next, old).await.0, 200, "{algorithm}");
            assert_eq!(me(&first, old).await.0, 200, "{algorithm}");
        }
        (access, current) = refresh(&next, &current).await;
        assert_eq!(header(&access)["alg"], algorithm);
        assert_eq!(
            header(&current)["alg"],
            "HS256",
            "nobody else verifies refresh tokens"
        );
        assert_eq!(
            me(&first, &access).await.0,
            200,
            "the other instance knows the key"
        );
        assert_eq!(
            published(&first).await.len(),
            [1, 2, 2, 3, 3][round],
            "{algorithm}"
        );
        held.push(access.clone());
    }
    let audit = first.app.store.clone();
    let rows = audit
        .read("audit", |tx| {
            Box::pin(async move { gatepost_storage::audit::recent(tx, "key.created", 10).await })
        })
        .await
        .unwrap();
    assert_eq!(rows.len(), 5, "{rows:?}");
    assert!(rows.iter().all(|row| row.actor == "service"));
    assert!(rows.iter().all(|row| !row.detail.to_string().contains("\"d\"")));
}

async fn a_retired_key_is_dead_on_every_instance(first: TestApp) {
    let es = [("GATEPOST__TOKENS__ALGORITHM", "ES256")];
    let (a, b) = (
        first.second_instance_with(&es).await,
        first.second_instance_with(&es).await,
    );
    a.user(EMAIL, PASSWORD).await;
    let (access, current) = a.log_in(EMAIL, PASSWORD).await;
    assert_eq!(me(&b, &access).await.0, 200);
    let kid = header(&access)["kid"].as_str().unwrap().to_owned();
    let keys = published(&b).await;
    assert_eq!(
        (keys.len(), &keys[0]["kid"]),
        (1, &json!(kid)),
        "one of the two made it"
    );

    a.app.tokens.rotate_key(&kid, Duration::ZERO).await.unwrap();
    a.app.tokens.retire_key(&kid).await.unwrap();
    assert_eq!(me(&a, &access).await, (401, "token_malformed".to_owned()));
    let began = std::time::Instant::now();
    while me(&b, &access).await.0 == 200 {
        assert!(
            began.elapsed() < Duration::from_secs(2),
            "still good on the other instance"
        );
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(published(&b).await.iter().all(|key| key["kid"] != kid));
    let (access, _) = refresh(&b, &current).await;
    assert_eq!(me(&a, &access).await.0, 200, "the session goes on");
}

async fn a_key_is_replaced_on_its_schedule(first: TestApp) {
    let settings = [
        ("GATEPOST__TOKENS__ALGORITHM", "EdDSA"),
        ("GATEPOST__TOKENS__ROTATE_EVERY", "30d"),
    ];
    let (a, b) = (
        first.second_instance_with(&settings).await,
        first.second_instance_with(&settings).await,
    );
    let pass = |by: Duration| {
        a.advance(by);
        b.advance(by);
    };
    a.user(EMAIL, PASSWORD).await;
    pass(Duration::from_hours(29 * 24));
    a.tend_keys().await;
    b.tend_keys().await;
    assert_eq!(published(&a).await.len(), 1, "not yet");
    pass(Duration::from_hours(24));
    let (old, _) = a.log_in(EMAIL, PASSWORD).await;
    tokio::join!(a.tend_keys(), b.tend_keys());
    assert_eq!(published(&a).await.len(), 2, "one of the two made the next");
    let (still, _) = a.log_in(EMAIL, PASSWORD).await;
    assert_eq!(
        header(&still)["kid"],
        header(&old)["kid"],
        "known before it signs"
    );
    pass(Duration::from_mins(15));
    let (new, _) = a.log_in(EMAIL, PASSWORD).await;
    assert_ne!(header(&new)["kid"], header(&old)["kid"]);
    assert_eq!((me(&b, &old).await.0, me(&b, &new).await.0), (200, 200));
    // An access token lives for an hour; a minute more, and the old key has gone.
    pass(Duration::from_mins(61));
    assert_eq!(published(&b).await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_document_may_be_kept_and_says_when_it_is_the_same() {
    let app = TestApp::with(&[("GATEPOST__TOKENS__ALGORITHM", "ES256")]).await;
    let first = app.get("/.well-known/jwks.json").await;
    assert_eq!(first.header("cache-control"), Some("public, max-age=300"));
    assert_eq!(first.header("content-type"), Some("application/json"));
    let key = &first.body["keys"][0];
    for (member, value) in [("kty", "EC"), ("crv", "P-256"), ("alg", "ES256"), ("use", "sig")] {
        assert_eq!(key[member], value);
    }
    assert!(key["d"].is_null(), "the public half alone");
    let tag = first.header("etag").unwrap().to_owned();
    let asked = |value: String| {
        app.request("GET", "/.well-known/jwks.json")
            .header("if-none-match", &value)
            .send()
    };
    for same in [
        tag.clone(),
        format!("W/{tag}"),
        format!("\"x\", {tag}"),
        "*".to_owned(),
    ] {
        let again = asked(same).await;
        assert_eq!((again.status, again.bytes.len()), (304, 0));
        assert_eq!(again.header("etag"), Some(tag.as_str()));
        assert_eq!(again.header("cache-control"), Some("public, max-age=300"));
    }
    assert_eq!(asked("\"x\"".to_owned()).await.status, 200);
    let kid = key["kid"].as_str().unwrap();
    app.app.tokens.rotate_key(kid, Duration::ZERO).await.unwrap();
    let changed = asked(tag).await;
    assert_eq!(
        (changed.status, changed.body["keys"].as_array().unwrap().len()),
        (200, 2)
    );
}
