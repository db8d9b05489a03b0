use std::time::Duration;

use gatepost::testing::TestApp;
use serde_json::json;

use crate::{ANNA, OWLS, STONES, on_both};

on_both!(
    the_whole_way,
    a_refused_password_leaves_the_token_usable,
    a_newer_letter_voids_the_older_link_once_it_is_sent,
    a_link_lives_from_when_it_was_sent,
    nobody_unknown_gets_a_letter,
);

async fn forgot(app: &TestApp) -> String {
    assert_eq!(
        app.post("/api/users/password/forgot", json!({"email": ANNA}))
            .await
            .status,
        202
    );
    app.run_pending().await;
    app.token(ANNA, "reset_password").await
}

async fn the_whole_way(app: TestApp) {
    app.user(ANNA, OWLS).await;
    let (access, refresh) = app.log_in(ANNA, OWLS).await;
    let token = forgot(&app).await;
    let done = app
        .post(
            "/api/users/password/reset",
            json!({"token": token, "password": STONES}),
        )
        .await;
    assert_eq!((done.status, done.bytes.len()), (204, 0));
    let again = app
        .post(
            "/api/users/password/reset",
            json!({"token": token, "password": OWLS}),
        )
        .await;
    assert_eq!(again.status, 400, "{again:?}");
    // Every session ended, nobody is logged in by it, and the owner is told.
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
    assert_eq!(
        app.post("/api/auth/login", json!({"email": ANNA, "password": OWLS}))
            .await
            .code(),
        "invalid_credentials"
    );
    app.log_in(ANNA, STONES).await;
    app.run_pending().await;
    assert_eq!(
        app.letters(ANNA).await.last().unwrap().template,
        "password_changed"
    );
}

async fn a_refused_password_leaves_the_token_usable(app: TestApp) {
    app.user(ANNA, OWLS).await;
    let token = forgot(&app).await;
    for (weak, code) in [
        ("short", "password_too_short"),
        ("passwordpassword", "password_common"),
        ("anna@example.com", "password_contextual"),
    ] {
        let answer = app
            .post(
                "/api/users/password/reset",
                json!({"token": token, "password": weak}),
            )
            .await;
        assert_eq!((answer.status, answer.code()), (422, code));
    }
    let done = app
        .post(
            "/api/users/password/reset",
            json!({"token": token, "password": STONES}),
        )
        .await;
    assert_eq!(done.status, 204);
    app.run_pending().await;
}

async fn a_newer_letter_voids_the_older_link_once_it_is_sent(app: TestApp) {
    app.user(ANNA, OWLS).await;
    let first = forgot(&app).await;
    app.advance(Duration::from_secs(5));
    assert_eq!(
        app.post("/api/users/password/forgot", json!({"email": ANNA}))
            .await
            .status,
        202
    );
    // Asked for and not sent: the first link is still the one that the owner has.
    let weak = app
        .post(
            "/api/users/password/reset",
            json!({"token": first, "password": "short"}),
        )
        .await;
    assert_eq!(weak.code(), "password_too_short");
    app.run_pending().await;
    let void = app
        .post(
            "/api/users/password/reset",
            json!({"token": first, "password": STONES}),
        )
        .await;
    assert_eq!((void.status, void.code()), (400, "token_revoked"));
    let second = app.token(ANNA, "reset_password").await;
    let done = app
        .post(
            "/api/users/password/reset",
            json!({"token": second, "password": STONES}),
        )
        .await;
    assert_eq!(done.status, 204);
    app.run_pending().await;
}

async fn a_link_lives_from_when_it_was_sent(app: TestApp) {
    app.user(ANNA, OWLS).await;
    app.post("/api/users/password/forgot", json!({"email": ANNA}))
        .await;
    // Longer than the link lives, shorter than the letter is worth sending.
    app.advance(Duration::from_secs(40 * 60));
    app.run_pending().await;
    let token = app.token(ANNA, "reset_password").await;
    app.advance(Duration::from_secs(29 * 60));
    let done = app
        .post(
            "/api/users/password/reset",
            json!({"token": token, "password": STONES}),
        )
        .await;
    assert_eq!(done.status, 204);
    app.run_pending().await;
    // Past its worth it is not sent at all.
    let letters = app.letters(ANNA).await.len();
    app.post("/api/users/password/forgot", json!({"email": ANNA}))
        .await;
    app.advance(Duration::from_secs(2 * 3600 + 1));
    app.run_pending().await;
    assert_eq!(app.letters(ANNA).await.len(), letters);
}

async fn nobody_unknown_gets_a_letter(app: TestApp) {
    assert_eq!(
        app.post("/api/users/password/forgot", json!({"email": ANNA}))
            .await
            .status,
        202
    );
    assert_eq!(
        app.post("/api/users/activate/resend", json!({"email": ANNA}))
            .await
            .status,
        202
    );
    app.run_pending().await;
    assert!(app.letters(ANNA).await.is_empty());
}
