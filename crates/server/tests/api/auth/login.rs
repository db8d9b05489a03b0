use gatepost::accounts::users;
use gatepost::testing::TestApp;
use gatepost_storage::UserId;
use serde_json::json;

use crate::{ANNA, OWLS, STONES, on_both};

on_both!(
    the_right_password_opens_a_session,
    a_deactivated_account_is_told_only_with_the_right_password,
    an_old_hash_is_made_anew
);

async fn the_right_password_opens_a_session(app: TestApp) {
    let id = app.user(ANNA, OWLS).await;
    let granted = app
        .post(
            "/api/auth/login",
            json!({"email": "ANNA@EXAMPLE.COM", "password": OWLS}),
        )
        .await;
    assert_eq!((granted.status, &granted.body["expires_in"]), (200, &json!(3600)));
    assert_eq!(granted.header("cache-control"), Some("no-store"));
    let verdict = app
        .post("/api/auth/verify", json!({"token": granted.text("access")}))
        .await;
    assert_eq!(
        verdict.body,
        json!({"active": true, "purpose": "access", "user_id": id, "expires_at": "2026-03-01T13:00:00Z"})
    );
    for bad in [granted.text("refresh"), "nonsense".to_owned()] {
        let verdict = app.post("/api/auth/verify", json!({"token": bad})).await;
        assert_eq!((verdict.status, verdict.body), (200, json!({"active": false})));
    }
    let wrong = app
        .post("/api/auth/login", json!({"email": ANNA, "password": STONES}))
        .await;
    assert_eq!((wrong.status, wrong.code()), (401, "invalid_credentials"));
}

async fn a_deactivated_account_is_told_only_with_the_right_password(app: TestApp) {
    let id: UserId = app.user(ANNA, OWLS).await.parse().unwrap();
    let (access, refresh) = app.log_in(ANNA, OWLS).await;
    let parts = app.app.clone();
    app.app
        .store
        .run_tx("test", move |tx| {
            let app = parts.clone();
            Box::pin(async move { users::deactivate(tx, &app.tokens, "cli", id).await })
        })
        .await
        .unwrap();
    assert_eq!(
        app.request("GET", "/api/users/me")
            .bearer(&access)
            .send()
            .await
            .code(),
        "token_revoked"
    );
    assert_eq!(
        app.post("/api/auth/refresh", json!({"refresh": refresh}))
            .await
            .code(),
        "token_revoked"
    );
    let right = app
        .post("/api/auth/login", json!({"email": ANNA, "password": OWLS}))
        .await;
    assert_eq!((right.status, right.code()), (403, "account_not_active"));
    let wrong = app
        .post("/api/auth/login", json!({"email": ANNA, "password": STONES}))
        .await;
    assert_eq!(wrong.code(), "invalid_credentials");
}

async fn an_old_hash_is_made_anew(app: TestApp) {
    // Made by Django with other parameters, for "correct horse".
    const DJANGO: &str = "argon2$argon2id$v=19$m=128,t=1,p=1$";
    let id: UserId = app.user(ANNA, OWLS).await.parse().unwrap();
    let stored = |app: &TestApp| {
        let store = app.app.store.clone();
        async move {
            let row = store
                .read("test", move |tx| Box::pin(gatepost_storage::users::get(tx, id)))
                .await;
            row.unwrap().unwrap().password
        }
    };
    let before = stored(&app).await;
    assert!(
        before.starts_with("argon2$argon2id$v=19$m=64,t=1,p=1$"),
        "{before}"
    );
    let dear = gatepost::accounts::hasher::Hasher::new(
        gatepost::accounts::hasher::Cost {
            memory: 128,
            passes: 1,
            lanes: 1,
        },
        1,
        10,
    );
    let other = dear
        .hash(&gatepost::accounts::Password::parse(OWLS).unwrap())
        .await
        .unwrap();
    assert!(other.starts_with(DJANGO), "{other}");
    app.app
        .store
        .run_tx("test", move |tx| {
            let other = other.clone();
            Box::pin(async move { gatepost_storage::users::set_password(tx, id, &other).await })
        })
        .await
        .unwrap();
    app.log_in(ANNA, OWLS).await;
    assert!(
        stored(&app)
            .await
            .starts_with("argon2$argon2id$v=19$m=64,t=1,p=1$")
    );
    app.log_in(ANNA, OWLS).await;
}
