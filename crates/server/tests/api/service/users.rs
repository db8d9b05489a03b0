//! `/api/service/users*`.

use serde_json::json;

use crate::world::{PASSWORD, World, on_both};

on_both!(
    an_account_is_made_changed_and_deleted,
    switching_off_and_revoking_take_effect_at_once
);

const USERS: &str = "/api/service/users";

async fn an_account_is_made_changed_and_deleted(world: World) {
    let key = world.key(&["users:read", "users:write"]).await;
    let body = json!({ "email": "Anna@Example.com", "password": PASSWORD, "locale": "ru", "profile": { "name": "Анна" } });
    let made = world.post(USERS, Some(&key), &body).await;
    assert_eq!(made.status, 201, "{}", made.body);
    assert_eq!(
        (&made.body["active"], &made.body["locale"]),
        (&json!(true), &json!("ru"))
    );
    let twin = world
        .post(USERS, Some(&key), &json!({ "email": "anna@EXAMPLE.com" }))
        .await;
    assert_eq!((twin.status, twin.code()), (409, "conflict"));
    assert_eq!(world.login("anna@example.com", PASSWORD).await.status, 200);

    let path = format!("{USERS}/{}", made.body["id"].as_str().unwrap());
    assert_eq!(world.get(&path, Some(&key)).await.body, made.body);
    let found = world
        .get(&format!("{USERS}?email=ANNA%40example.com"), Some(&key))
        .await;
    assert_eq!(found.body["items"], json!([made.body]));
    let change = json!({ "locale": "uk", "profile": {}, "password": "an entirely different sentence" });
    let changed = world.call("PATCH", &path, Some(&key), Some(&change), &[]).await;
    assert_eq!(
        (changed.status, &changed.body["locale"], &changed.body["profile"]),
        (200, &json!("uk"), &json!({}))
    );
    assert_eq!(world.login("anna@example.com", PASSWORD).await.status, 401);
    assert_eq!(
        world
            .login("anna@example.com", "an entirely different sentence")
            .await
            .status,
        200
    );

    for (field, value) in [
        ("email", json!("a b")),
        ("password", json!("short")),
        ("locale", json!("../x")),
        ("profile", json!([])),
    ] {
        let mut body = json!({ "email": "b@example.com" });
        body[field] = value;
        assert_eq!(world.post(USERS, Some(&key), &body).await.status, 422, "{field}");
    }
    let without = world
        .post(USERS, Some(&key), &json!({ "email": "b@example.com" }))
        .await;
    assert_eq!(without.status, 201, "a password can be chosen later");
    assert_eq!(world.login("b@example.com", "").await.status, 422);

    assert_eq!(
        world.call("DELETE", &path, Some(&key), None, &[]).await.status,
        204
    );
    for method in ["GET", "DELETE"] {
        assert_eq!(world.call(method, &path, Some(&key), None, &[]).await.status, 404);
    }
    assert_eq!(
        world
            .call("PATCH", &path, Some(&key), Some(&json!({})), &[])
            .await
            .status,
        404
    );
    assert_eq!(
        world
            .post(&format!("{path}/revoke"), Some(&key), &json!({}))
            .await
            .status,
        404
    );
    world.run_pending().await;
}

async fn switching_off_and_revoking_take_effect_at_once(world: World) {
    let key = world.key(&["users:read", "users:write"]).await;
    let account = world.account("anna@example.com").await;
    let path = format!("{USERS}/{}", account.id);
    let session = world.login("anna@example.com", PASSWORD).await;
    let (access, refresh) = (
        session.body["access"].as_str().unwrap(),
        session.body["refresh"].clone(),
    );
    assert_eq!(world.get("/api/users/me", Some(access)).await.status, 200);
    assert_eq!(
        world
            .post(&format!("{path}/revoke"), Some(&key), &json!({}))
            .await
            .status,
        204
    );
    assert_eq!(
        world.get("/api/users/me", Some(access)).await.code(),
        "token_revoked"
    );
    assert_eq!(
        world
            .post("/api/auth/refresh", None, &json!({ "refresh": refresh }))
            .await
            .status,
        401
    );

    let session = world.login("anna@example.com", PASSWORD).await;
    let access = session.body["access"].as_str().unwrap();
    let off = world
        .call("PATCH", &path, Some(&key), Some(&json!({ "active": false })), &[])
        .await;
    assert_eq!(off.body["active"], false);
    assert_eq!(world.get("/api/users/me", Some(access)).await.status, 401);
    assert_eq!(
        world.login("anna@example.com", PASSWORD).await.code(),
        "account_not_active"
    );
    world
        .call("PATCH", &path, Some(&key), Some(&json!({ "active": true })), &[])
        .await;
    assert_eq!(world.login("anna@example.com", PASSWORD).await.status, 200);
    world.run_pending().await;
}
