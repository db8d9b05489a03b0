use std::time::Duration;

use gatepost::testing::{Answer, TestApp};
use serde_json::json;

use crate::{ANNA, OWLS, STONES, on_both};

on_both!(
    an_invitation_opens_an_account,
    sent_again_it_voids_the_one_before,
    an_open_account_is_not_invited,
    who_knocks_is_sent_the_invitation
);

async fn invite(app: &TestApp, key: &str, email: &str) -> Answer {
    let new = json!({"email": email, "invite": true, "locale": "uk", "profile": {"name": "Anna"}});
    app.request("POST", "/api/service/users")
        .bearer(key)
        .json(new)
        .send()
        .await
}

async fn accept(app: &TestApp, token: &str, password: &str) -> Answer {
    let body = json!({"token": token, "password": password});
    app.post("/api/users/invitation/accept", body).await
}

async fn an_invitation_opens_an_account(app: TestApp) {
    let key = app.api_key_with(&["users:write"]).await;
    let made = invite(&app, &key, ANNA).await;
    assert_eq!((made.status, &made.body["active"]), (201, &json!(false)));
    app.run_pending().await;
    let letters = app.letters(ANNA).await;
    assert_eq!(letters.len(), 1);
    assert_eq!(
        (letters[0].template.as_str(), letters[0].locale.as_str()),
        ("invitation", "uk")
    );
    let link = app.token(ANNA, "invitation").await;

    let login = json!({"email": ANNA, "password": OWLS});
    assert_eq!(
        app.post("/api/auth/login", login.clone()).await.code(),
        "invalid_credentials"
    );
    // The policy holds, the name included; the link is as it was.
    assert_eq!(accept(&app, &link, "short").await.code(), "password_too_short");
    assert_eq!(accept(&app, &link, "annaannaannaanna").await.status, 422);
    let opened = accept(&app, &link, OWLS).await;
    assert_eq!((opened.status, &opened.body["active"]), (200, &json!(true)));
    assert_eq!(opened.body["id"], made.body["id"]);
    let again = accept(&app, &link, STONES).await;
    assert_eq!((again.status, again.code()), (400, "token_used"));
    app.run_pending().await;
    assert_eq!(app.letters(ANNA).await.last().unwrap().template, "welcome");
    app.log_in(ANNA, OWLS).await;
}

async fn sent_again_it_voids_the_one_before(app: TestApp) {
    let key = app.api_key_with(&["users:write"]).await;
    let id = invite(&app, &key, ANNA).await.text("id");
    app.run_pending().await;
    let first = app.token(ANNA, "invitation").await;
    app.advance(Duration::from_secs(1));
    let again = app
        .request("POST", &format!("/api/service/users/{id}/invite"))
        .bearer(&key)
        .send()
        .await;
    assert_eq!(again.status, 202);
    assert_eq!(invite(&app, &key, ANNA).await.code(), "conflict");
    app.run_pending().await;
    let second = app.token(ANNA, "invitation").await;
    assert_eq!(accept(&app, &first, OWLS).await.code(), "token_revoked");
    assert_eq!(accept(&app, &second, OWLS).await.status, 200);
    app.run_pending().await;
}

async fn an_open_account_is_not_invited(app: TestApp) {
    let key = app.api_key_with(&["users:write"]).await;
    let id = app.user(ANNA, OWLS).await;
    let path = format!("/api/service/users/{id}/invite");
    let refused = app.request("POST", &path).bearer(&key).send().await;
    assert_eq!((refused.status, refused.code()), (409, "conflict"));
    assert_eq!(invite(&app, &key, ANNA).await.code(), "conflict");
    let with_password = json!({"email": "ben@example.com", "invite": true, "password": OWLS});
    let refused = app.request("POST", "/api/service/users").bearer(&key);
    let refused = refused.json(with_password).send().await;
    assert_eq!(
        (
            refused.status,
            refused.body["errors"]["password"][0]["code"].as_str()
        ),
        (422, Some("invalid"))
    );
}

async fn who_knocks_is_sent_the_invitation(app: TestApp) {
    let key = app.api_key_with(&["users:write"]).await;
    invite(&app, &key, ANNA).await;
    app.run_pending().await;
    for (path, body) in [
        ("/api/users", json!({"email": ANNA, "password": STONES})),
        ("/api/users/activate/resend", json!({"email": ANNA})),
    ] {
        let before = app.letters(ANNA).await.len();
        app.advance(Duration::from_secs(1));
        assert_eq!(app.post(path, body).await.status, 202);
        app.run_pending().await;
        let letters = app.letters(ANNA).await;
        assert_eq!(letters.len(), before + 1, "{path}");
        assert_eq!(letters.last().unwrap().template, "invitation");
    }
    // The password that was chosen at the door opens nothing.
    let link = app.token(ANNA, "invitation").await;
    assert_eq!(accept(&app, &link, OWLS).await.status, 200);
    app.run_pending().await;
    app.log_in(ANNA, OWLS).await;
}

async fn with_registration(how: &str) -> TestApp {
    TestApp::with(&[("GATEPOST__ACCOUNTS__REGISTRATION", how)]).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn by_invitation_only() {
    let app = with_registration("invite").await;
    let new = json!({"email": ANNA, "password": OWLS});
    let refused = app.post("/api/users", new).await;
    assert_eq!((refused.status, refused.code()), (403, "invitation_needed"));
    let key = app.api_key_with(&["users:write"]).await;
    assert_eq!(invite(&app, &key, ANNA).await.status, 201);
    app.run_pending().await;
    let link = app.token(ANNA, "invitation").await;
    assert_eq!(accept(&app, &link, OWLS).await.status, 200);
    app.run_pending().await;
    let page = app
        .request("GET", "/register")
        .header("accept", "text/html")
        .send()
        .await;
    assert_eq!(page.status, 403);
    assert!(String::from_utf8_lossy(&page.bytes).contains("by invitation"));
    for path in ["/", "/login"] {
        let page = app
            .request("GET", path)
            .header("accept", "text/html")
            .send()
            .await;
        assert!(
            !String::from_utf8_lossy(&page.bytes).contains("href=\"/register\""),
            "{path}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn closed_means_invitations_too() {
    let app = with_registration("closed").await;
    let refused = app
        .post("/api/users", json!({"email": ANNA, "password": OWLS}))
        .await;
    assert_eq!((refused.status, refused.code()), (403, "registration_closed"));
    let key = app.api_key_with(&["users:write", "tokens:create:invite"]).await;
    let refused = invite(&app, &key, ANNA).await;
    assert_eq!((refused.status, refused.code()), (403, "registration_closed"));
    // An invitation that was on its way when it closed.
    let new = json!({"email": ANNA, "active": false});
    let made = app
        .request("POST", "/api/service/users")
        .bearer(&key)
        .json(new)
        .send()
        .await;
    let asked = json!({"user_id": made.text("id"), "purpose": "invite"});
    let token = app
        .request("POST", "/api/tokens")
        .bearer(&key)
        .json(asked)
        .send()
        .await;
    let refused = accept(&app, &token.text("token"), OWLS).await;
    assert_eq!((refused.status, refused.code()), (403, "registration_closed"));
    let path = format!("/invitation?token={}", token.text("token"));
    let page = app
        .request("GET", &path)
        .header("accept", "text/html")
        .send()
        .await;
    assert_eq!(page.status, 403);
    assert!(String::from_utf8_lossy(&page.bytes).contains("Registration is closed"));
}
