//! `/api/tokens*`.

use std::time::Duration;

use serde_json::{Value, json};

use gatepost::testing::Answer;

use crate::world::{World, on_both};

on_both!(
    a_token_is_made_validated_used_once,
    the_same_idempotency_key_gets_the_same_answer,
    of_many_callers_one_uses_a_token,
    what_cannot_be_a_token_is_refused_by_field,
    owning_tokens_take_more,
    what_is_revoked_is_dead,
);

async fn create(world: &World, key: &str, body: Value) -> String {
    let answer = world.post("/api/tokens", Some(key), &body).await;
    assert_eq!(answer.status, 201, "{}", answer.body);
    answer.body["token"].as_str().unwrap().to_owned()
}

async fn verify(world: &World, key: &str, token: &str, purpose: &str) -> Answer {
    world
        .post(
            "/api/tokens/verify",
            Some(key),
            &json!({ "token": token, "purpose": purpose }),
        )
        .await
}

async fn a_token_is_made_validated_used_once(world: World) {
    let key = world.key(&["tokens:create:activate", "tokens:verify"]).await;
    let user = "анна@внешняя-система/42";
    let body = json!({ "user_id": user, "purpose": "activate", "lifetime": "1h30m", "claims": { "plan": ["a", 1] } });
    let made = world.post("/api/tokens", Some(&key), &body).await;
    let expires_at = made.body["expires_at"].as_str().unwrap();
    let wanted = gatepost_storage::Timestamp::from_secs(world.store().now().as_secs() + 5400);
    assert_eq!(expires_at, wanted.to_string());
    let token = made.body["token"].as_str().unwrap();

    let looked = world
        .post("/api/tokens/validate", Some(&key), &json!({ "token": token }))
        .await;
    let good = json!({ "user_id": user, "purpose": "activate", "expires_at": expires_at, "claims": { "plan": ["a", 1] }, "consumed": false });
    assert_eq!(looked.body, good);
    let body = json!({ "token": token, "purpose": "activate", "consume": false });
    assert_eq!(
        world.post("/api/tokens/verify", Some(&key), &body).await.body,
        good
    );
    assert_eq!(
        verify(&world, &key, token, "socket").await.code(),
        "token_wrong_purpose"
    );

    let once = verify(&world, &key, token, "activate").await;
    assert_eq!((once.status, &once.body["consumed"]), (200, &json!(true)));
    assert_eq!(verify(&world, &key, token, "activate").await.code(), "token_used");
    assert_eq!(
        world
            .post("/api/tokens/validate", Some(&key), &json!({ "token": token }))
            .await
            .code(),
        "token_used"
    );

    let short = create(
        &world,
        &key,
        json!({ "user_id": "7", "purpose": "activate", "lifetime": 60 }),
    )
    .await;
    world.advance(Duration::from_secs(60));
    assert_eq!(
        verify(&world, &key, &short, "activate").await.code(),
        "token_expired"
    );
}

async fn the_same_idempotency_key_gets_the_same_answer(world: World) {
    let key = world.key(&["tokens:create:*", "tokens:verify"]).await;
    let other = world.key(&["tokens:verify"]).await;
    let token = create(&world, &key, json!({ "user_id": "7", "purpose": "activate" })).await;
    let body = json!({ "token": token, "purpose": "activate" });
    let attempt = |key: String, body: Value| {
        let world = &world;
        async move {
            world
                .call(
                    "POST",
                    "/api/tokens/verify",
                    Some(&key),
                    Some(&body),
                    &[("idempotency-key", "order-7")],
                )
                .await
        }
    };
    let first = attempt(key.clone(), body.clone()).await;
    assert_eq!((first.status, &first.body["consumed"]), (200, &json!(true)));
    let again = attempt(key.clone(), body.clone()).await;
    assert_eq!((again.status, &again.body), (200, &first.body));
    let different = json!({ "token": token, "purpose": "activate", "consume": false });
    assert_eq!(
        attempt(key.clone(), different).await.code(),
        "idempotency_key_reused"
    );
    assert_eq!(
        attempt(other, body.clone()).await.code(),
        "token_used",
        "another program's key is another key"
    );
    world.advance(Duration::from_secs(600));
    assert_eq!(
        attempt(key.clone(), body).await.code(),
        "token_used",
        "after 10 min it is a new request"
    );
    let long = "x".repeat(256);
    let answer = world
        .call(
            "POST",
            "/api/tokens/verify",
            Some(&key),
            Some(&json!({})),
            &[("idempotency-key", &long)],
        )
        .await;
    assert_eq!(answer.code(), "bad_request");
}

async fn of_many_callers_one_uses_a_token(world: World) {
    let key = world.key(&["tokens:create:*", "tokens:verify"]).await;
    for _ in 0..5 {
        let token = create(&world, &key, json!({ "user_id": "7", "purpose": "activate" })).await;
        let calls = (0..16).map(|_| verify(&world, &key, &token, "activate"));
        let answers = futures_util::future::join_all(calls).await;
        assert_eq!(answers.iter().filter(|a| a.status == 200).count(), 1);
        assert_eq!(
            answers
                .iter()
                .filter(|a| a.status == 400 && a.code() == "token_used")
                .count(),
            15
        );
    }
}

async fn what_cannot_be_a_token_is_refused_by_field(world: World) {
    let key = world.key(&["*"]).await;
    let good = json!({ "user_id": "7", "purpose": "activate" });
    for (field, value) in [
        ("user_id", json!("")),
        ("user_id", json!("x".repeat(256))),
        ("user_id", json!("a\nb")),
        ("user_id", json!(7)),
        ("purpose", json!("nothing")),
        ("purpose", json!(null)),
        ("lifetime", json!(0)),
        ("lifetime", json!(-5)),
        ("lifetime", json!("soon")),
        ("lifetime", json!("400d")),
        ("claims", json!([])),
        ("claims", json!({ "long": "x".repeat(5000) })),
    ] {
        let mut body = good.clone();
        body[field] = value.clone();
        let answer = world.post("/api/tokens", Some(&key), &body).await;
        assert_eq!(
            (answer.status, answer.code()),
            (422, "validation_failed"),
            "{field} {value}"
        );
        assert!(
            answer.body["errors"][field].is_array(),
            "{field}: {}",
            answer.body
        );
    }
    let longest = "x".repeat(255);
    let claims = json!({ "long": "x".repeat(4000) });
    let body = json!({ "user_id": longest, "purpose": "activate", "claims": claims });
    let token = create(&world, &key, body).await;
    assert_eq!(
        verify(&world, &key, &token, "activate").await.body["claims"],
        claims
    );
    create(&world, &key, json!({ "user_id": longest, "purpose": "activate" })).await;
}

async fn owning_tokens_take_more(world: World) {
    let account = world.account("owner@example.com").await;
    let star = world.key(&["tokens:create:*"]).await;
    for purpose in ["access", "refresh", "change_password"] {
        let body = json!({ "user_id": account.id, "purpose": purpose });
        assert_eq!(
            world.post("/api/tokens", Some(&star), &body).await.code(),
            "scope_missing",
            "{purpose}"
        );
    }
    let link = world.key(&["tokens:create:change_password"]).await;
    create(
        &world,
        &link,
        json!({ "user_id": account.id, "purpose": "change_password" }),
    )
    .await;
    let audit = world.audit(&account.id).await;
    assert!(
        audit
            .iter()
            .any(|row| row.action == "token.created" && row.actor.starts_with("key:")),
        "{audit:?}"
    );

    let sessions = world.key(&["sessions:create"]).await;
    let refused = world
        .post(
            "/api/tokens",
            Some(&sessions),
            &json!({ "user_id": "somebody", "purpose": "access" }),
        )
        .await;
    assert!(refused.body["errors"]["user_id"].is_array(), "{}", refused.body);
    let body = json!({ "user_id": account.id, "purpose": "access", "lifetime": "1m" });
    assert!(world.post("/api/tokens", Some(&sessions), &body).await.body["errors"]["lifetime"].is_array());
    let access = create(
        &world,
        &sessions,
        json!({ "user_id": account.id, "purpose": "access" }),
    )
    .await;
    let seen = world.get("/api/auth/sessions", Some(&access)).await;
    let devices = seen.body.to_string();
    assert!(
        devices.contains("API key"),
        "its user sees the session: {devices}"
    );
    let refresh = create(
        &world,
        &sessions,
        json!({ "user_id": account.id, "purpose": "refresh" }),
    )
    .await;
    assert_eq!(
        world
            .post("/api/auth/refresh", None, &json!({ "refresh": refresh }))
            .await
            .status,
        200
    );
}

async fn what_is_revoked_is_dead(world: World) {
    let key = world.key(&["*"]).await;
    let one = create(&world, &key, json!({ "user_id": "7", "purpose": "activate" })).await;
    let two = create(&world, &key, json!({ "user_id": "7", "purpose": "socket" })).await;
    let revoke = |body: Value| {
        let (world, key) = (&world, &key);
        async move { world.post("/api/tokens/revoke", Some(key), &body).await }
    };
    assert_eq!(revoke(json!({ "token": one })).await.status, 204);
    assert_eq!(
        verify(&world, &key, &one, "activate").await.code(),
        "token_revoked"
    );
    assert_eq!(revoke(json!({ "user_id": "7" })).await.status, 204);
    assert_eq!(verify(&world, &key, &two, "socket").await.code(), "token_revoked");
    let fresh = create(&world, &key, json!({ "user_id": "7", "purpose": "socket" })).await;
    assert_eq!(verify(&world, &key, &fresh, "socket").await.status, 200);
    assert_eq!(revoke(json!({ "token": "no token at all" })).await.status, 204);
    assert_eq!(revoke(json!({})).await.status, 422);
    assert_eq!(revoke(json!({ "token": one, "user_id": "7" })).await.status, 422);
}
