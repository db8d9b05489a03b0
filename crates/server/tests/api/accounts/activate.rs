use futures_util::future::join_all;
use gatepost::testing::TestApp;
use serde_json::json;

use crate::{ANNA, OWLS, STONES, on_both};

on_both!(
    it_works_once,
    sixty_four_at_once_and_one_wins,
    every_bad_token_is_told_apart,
    deleting_frees_the_address
);

async fn registered(app: &TestApp) -> String {
    app.post("/api/users", json!({"email": ANNA, "password": OWLS}))
        .await;
    app.run_pending().await;
    app.token(ANNA, "activate_account").await
}

async fn it_works_once(app: TestApp) {
    let token = registered(&app).await;
    let user = app.post("/api/users/activate", json!({"token": token})).await;
    assert_eq!((user.status, user.text("email").as_str()), (200, ANNA));
    assert_eq!(
        (&user.body["active"], &user.body["activated_at"]),
        (&json!(true), &json!("2026-03-01T12:00:00Z"))
    );
    assert!(user.body.get("password").is_none());
    let again = app.post("/api/users/activate", json!({"token": token})).await;
    assert_eq!((again.status, again.code()), (400, "token_used"));
    app.run_pending().await;
    assert_eq!(app.letters(ANNA).await.last().unwrap().template, "welcome");
}

async fn sixty_four_at_once_and_one_wins(mut app: TestApp) {
    let other = app.second_instance().await;
    let token = registered(&app).await;
    let presses = (0..64).map(|n| {
        let instance = if n % 2 == 0 { &app } else { &other };
        instance.post("/api/users/activate", json!({"token": token}))
    });
    let answers = join_all(presses).await;
    let won = answers.iter().filter(|answer| answer.status == 200).count();
    let used = answers
        .iter()
        .filter(|answer| answer.code() == "token_used")
        .count();
    assert_eq!((won, used), (1, 63));
    app.leave_work();
}

async fn every_bad_token_is_told_apart(app: TestApp) {
    let token = registered(&app).await;
    for (bad, code) in [
        ("", "token_malformed"),
        ("a.b.c", "token_malformed"),
        (&token[..token.len() - 3], "token_malformed"),
    ] {
        let answer = app.post("/api/users/activate", json!({"token": bad})).await;
        assert_eq!((answer.status, answer.code()), (400, code), "{bad}");
    }
    let long = app
        .post("/api/users/activate", json!({"token": "x".repeat(9_000)}))
        .await;
    assert_eq!(
        (long.status, long.body["errors"]["token"][0]["code"].as_str()),
        (422, Some("too_long"))
    );
    let reset = app
        .post(
            "/api/users/password/reset",
            json!({"token": token, "password": STONES}),
        )
        .await;
    assert_eq!((reset.status, reset.code()), (400, "token_wrong_purpose"));
    // None of that used anything up.
    assert_eq!(
        app.post("/api/users/activate", json!({"token": token}))
            .await
            .status,
        200
    );
    app.run_pending().await;
}

async fn deleting_frees_the_address(app: TestApp) {
    let first = app.user(ANNA, OWLS).await;
    let (access, _) = app.log_in(ANNA, OWLS).await;
    let gone = app
        .request("DELETE", "/api/users/me")
        .bearer(&access)
        .json(json!({"password": OWLS}))
        .send()
        .await;
    assert_eq!((gone.status, gone.text("id")), (200, first.clone()));
    assert_eq!(
        app.request("GET", "/api/users/me")
            .bearer(&access)
            .send()
            .await
            .code(),
        "token_revoked"
    );
    let second = app.user(ANNA, STONES).await;
    assert_ne!(first, second);
}
