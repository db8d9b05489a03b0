use std::time::Duration;

use gatepost::testing::TestApp;
use serde_json::json;

use crate::{ANNA, OWLS, STONES, on_both};

on_both!(
    a_letter_comes_and_nothing_else,
    a_known_address_is_told_and_the_asker_is_not,
    weak_passwords_are_refused_before_anything_is_written,
    the_letter_can_be_had_again,
    nobody_prepares_an_account_for_somebody_else,
    a_closed_house_says_so,
);

async fn a_letter_comes_and_nothing_else(app: TestApp) {
    let answer = app
        .post(
            "/api/users",
            json!({"email": ANNA, "password": OWLS, "locale": "ru"}),
        )
        .await;
    assert_eq!(
        (answer.status, answer.body["status"].as_str()),
        (202, Some("accepted"))
    );
    app.run_pending().await;
    let letters = app.letters(ANNA).await;
    assert_eq!(letters.len(), 1);
    assert_eq!(
        (letters[0].template.as_str(), letters[0].locale.as_str()),
        ("activate_account", "ru")
    );
    let refused = app
        .post("/api/auth/login", json!({"email": ANNA, "password": OWLS}))
        .await;
    assert_eq!(
        (refused.status, refused.code()),
        (401, "invalid_credentials"),
        "it is pending"
    );
}

async fn a_known_address_is_told_and_the_asker_is_not(app: TestApp) {
    app.user(ANNA, OWLS).await;
    let again = app
        .post(
            "/api/users",
            json!({"email": "Anna@Example.com", "password": STONES}),
        )
        .await;
    assert_eq!(again.status, 202);
    app.run_pending().await;
    let templates: Vec<String> = app
        .letters(ANNA)
        .await
        .into_iter()
        .map(|letter| letter.template)
        .collect();
    assert_eq!(templates, ["activate_account", "welcome", "already_registered"]);
    app.log_in(ANNA, OWLS).await;
}

async fn weak_passwords_are_refused_before_anything_is_written(app: TestApp) {
    for (password, code) in [
        ("short", "password_too_short"),
        ("passwordpassword", "password_common"),
        ("anna@example.com", "password_contextual"),
        ("anna-petrova-1987", "password_contextual"),
    ] {
        let body = json!({"email": ANNA, "password": password, "profile": {"name": "Anna Petrova"}});
        let answer = app.post("/api/users", body).await;
        assert_eq!((answer.status, answer.code()), (422, code), "{password}");
        assert_eq!(answer.body["errors"]["password"][0]["code"], code);
    }
    app.run_pending().await;
    assert!(app.letters(ANNA).await.is_empty());
}

async fn the_letter_can_be_had_again(app: TestApp) {
    app.post("/api/users", json!({"email": ANNA, "password": OWLS}))
        .await;
    app.run_pending().await;
    let first = app.token(ANNA, "activate_account").await;
    app.advance(Duration::from_secs(3600));
    assert_eq!(
        app.post("/api/users/activate", json!({"token": first}))
            .await
            .code(),
        "token_expired"
    );
    assert_eq!(
        app.post("/api/users/activate/resend", json!({"email": ANNA}))
            .await
            .status,
        202
    );
    app.run_pending().await;
    let second = app.token(ANNA, "activate_account").await;
    assert_eq!(
        app.post("/api/users/activate", json!({"token": second}))
            .await
            .status,
        200
    );
    app.run_pending().await;
    // Nothing is pending any more, so nothing comes.
    assert_eq!(
        app.post("/api/users/activate/resend", json!({"email": ANNA}))
            .await
            .status,
        202
    );
    app.run_pending().await;
    assert_eq!(app.letters(ANNA).await.len(), 3);
}

async fn nobody_prepares_an_account_for_somebody_else(app: TestApp) {
    // The thief registers the victim's address first, with a password of his own; then the victim does.
    app.post(
        "/api/users",
        json!({"email": ANNA, "password": STONES, "profile": {"note": "thief"}}),
    )
    .await;
    app.run_pending().await;
    app.advance(Duration::from_secs(60));
    app.post("/api/users", json!({"email": ANNA, "password": OWLS}))
        .await;
    app.run_pending().await;
    let letters = app.letters(ANNA).await;
    assert_eq!(letters.len(), 2);
    let thief = gatepost::testing::token_in(&letters[0].text);
    let victim = gatepost::testing::token_in(&letters[1].text);
    assert!(
        !letters[0].text.contains("thief"),
        "the letter holds no text of whoever asked"
    );
    let user = app.post("/api/users/activate", json!({"token": victim})).await;
    assert_eq!((user.status, &user.body["profile"]), (200, &json!({})));
    let late = app.post("/api/users/activate", json!({"token": thief})).await;
    assert_eq!((late.status, late.code()), (400, "token_revoked"));
    app.log_in(ANNA, OWLS).await;
    let refused = app
        .post("/api/auth/login", json!({"email": ANNA, "password": STONES}))
        .await;
    assert_eq!(refused.code(), "invalid_credentials");
    app.run_pending().await;
}

async fn a_closed_house_says_so(_: TestApp) {
    let app = TestApp::with(&[("GATEPOST__ACCOUNTS__REGISTRATION", "invite")]).await;
    let answer = app
        .post("/api/users", json!({"email": ANNA, "password": OWLS}))
        .await;
    assert_eq!((answer.status, answer.code()), (403, "invitation_needed"));
}
