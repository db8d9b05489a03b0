use std::time::Duration;

use gatepost::testing::TestApp;
use serde_json::json;

use crate::{ANNA, OWLS, STONES, on_both};

on_both!(
    look_and_change,
    a_new_password_ends_everything_but_this_session,
    the_password_is_asked_for_again
);

async fn look_and_change(app: TestApp) {
    let id = app.user(ANNA, OWLS).await;
    let (access, _) = app.log_in(ANNA, OWLS).await;
    let me = app.request("GET", "/api/users/me").bearer(&access).send().await;
    assert_eq!((me.status, me.text("id")), (200, id));
    assert_eq!(me.header("cache-control"), Some("no-store"));
    let wish = json!({"locale": "uk", "profile": {"name": "Анна"}});
    let changed = app
        .request("PATCH", "/api/users/me")
        .bearer(&access)
        .json(wish)
        .send()
        .await;
    assert_eq!((changed.status, changed.text("locale").as_str()), (200, "uk"));
    let kept = app
        .request("PATCH", "/api/users/me")
        .bearer(&access)
        .json(json!({"locale": "en"}))
        .send()
        .await;
    assert_eq!(kept.body["profile"], json!({"name": "Анна"}));
    let bad = app
        .request("PATCH", "/api/users/me")
        .bearer(&access)
        .json(json!({"locale": "../etc"}))
        .send()
        .await;
    assert_eq!(
        (bad.status, bad.body["errors"]["locale"][0]["code"].as_str()),
        (422, Some("invalid"))
    );
}

async fn a_new_password_ends_everything_but_this_session(app: TestApp) {
    app.user(ANNA, OWLS).await;
    let (other, other_refresh) = app.log_in(ANNA, OWLS).await;
    let (access, refresh) = app.log_in(ANNA, OWLS).await;
    app.post("/api/users/password/forgot", json!({"email": ANNA}))
        .await;
    app.run_pending().await;
    let link = app.token(ANNA, "reset_password").await;
    let change = json!({"current": OWLS, "new": STONES});
    let granted = app
        .request("POST", "/api/users/me/password")
        .bearer(&access)
        .json(change)
        .send()
        .await;
    assert_eq!(
        (granted.status, granted.text("token_type").as_str()),
        (200, "Bearer"),
        "{granted:?}"
    );
    for dead in [&other, &access] {
        assert_eq!(
            app.request("GET", "/api/users/me")
                .bearer(dead)
                .send()
                .await
                .code(),
            "token_revoked"
        );
    }
    assert_eq!(
        app.post("/api/auth/refresh", json!({"refresh": other_refresh}))
            .await
            .status,
        401
    );
    let dead_link = app
        .post(
            "/api/users/password/reset",
            json!({"token": link, "password": OWLS}),
        )
        .await;
    assert_eq!(dead_link.code(), "token_revoked");
    let me = app
        .request("GET", "/api/users/me")
        .bearer(&granted.text("access"))
        .send()
        .await;
    assert_eq!(me.status, 200);
    app.advance(Duration::from_secs(60));
    let next = app
        .post("/api/auth/refresh", json!({"refresh": granted.text("refresh")}))
        .await;
    assert_eq!(next.status, 200, "{next:?}");
    assert_ne!(refresh, next.text("refresh"));
    app.run_pending().await;
    assert_eq!(
        app.letters(ANNA).await.last().unwrap().template,
        "password_changed"
    );
}

async fn the_password_is_asked_for_again(app: TestApp) {
    app.user(ANNA, OWLS).await;
    let (access, _) = app.log_in(ANNA, OWLS).await;
    let wrong = json!({"current": STONES, "new": STONES});
    let refused = app
        .request("POST", "/api/users/me/password")
        .bearer(&access)
        .json(wrong)
        .send()
        .await;
    assert_eq!((refused.status, refused.code()), (401, "invalid_credentials"));
    let weak = json!({"current": OWLS, "new": "passwordpassword"});
    let refused = app
        .request("POST", "/api/users/me/password")
        .bearer(&access)
        .json(weak)
        .send()
        .await;
    assert_eq!(
        (refused.code(), refused.body["errors"]["new"][0]["code"].as_str()),
        ("password_common", Some("password_common"))
    );
    let wrong = json!({"password": STONES});
    let refused = app
        .request("DELETE", "/api/users/me")
        .bearer(&access)
        .json(wrong)
        .send()
        .await;
    assert_eq!(refused.code(), "invalid_credentials");
    app.log_in(ANNA, OWLS).await;
}
