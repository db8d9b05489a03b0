use futures_util::future::join_all;
use gatepost::testing::{Answer, TestApp};
use gatepost_storage::email_changes;
use serde_json::json;
use std::time::Duration;

use crate::{ANNA, OWLS, STONES, on_both};

on_both!(
    another_address_is_confirmed_and_told_to_both,
    the_answer_is_the_same_for_a_taken_address,
    one_of_sixty_four_presses_wins,
    a_newer_link_voids_the_older,
    a_new_password_withdraws_it,
    an_address_that_was_taken_meanwhile_is_refused,
    it_takes_the_password_and_an_address,
    what_is_over_is_swept
);

const NEW: &str = "anna@example.org";
const BEN: &str = "ben@example.com";

async fn ask(app: &TestApp, access: &str, email: &str, password: &str) -> Answer {
    let wish = json!({"email": email, "password": password});
    app.request("POST", "/api/users/me/email")
        .bearer(access)
        .json(wish)
        .send()
        .await
}

async fn confirm(app: &TestApp, token: &str) -> Answer {
    app.post("/api/users/email/confirm", json!({"token": token}))
        .await
}

async fn templates(app: &TestApp, to: &str) -> Vec<String> {
    let letters = app.letters(to).await;
    letters.into_iter().map(|letter| letter.template).collect()
}

async fn another_address_is_confirmed_and_told_to_both(app: TestApp) {
    let id = app.user(ANNA, OWLS).await;
    let (access, refresh) = app.log_in(ANNA, OWLS).await;
    app.post("/api/users/password/forgot", json!({"email": ANNA}))
        .await;
    app.run_pending().await;
    let reset = app.token(ANNA, "reset_password").await;
    let asked = ask(&app, &access, NEW, OWLS).await;
    assert_eq!((asked.status, asked.text("status").as_str()), (202, "accepted"));
    app.run_pending().await;
    assert_eq!(templates(&app, ANNA).await.last().unwrap(), "email_change_asked");
    let told = app.letters(ANNA).await;
    assert!(told.last().unwrap().text.contains("a***@e***.org"));
    assert!(!told.last().unwrap().text.contains(NEW), "masked");
    assert_eq!(templates(&app, NEW).await, ["confirm_email"]);
    // Nothing is changed yet.
    assert_eq!(app.get("/api/users/me").await.status, 401);
    app.log_in(ANNA, OWLS).await;

    let link = app.token(NEW, "confirm_email").await;
    let changed = confirm(&app, &link).await;
    assert_eq!((changed.status, changed.text("email").as_str()), (200, NEW));
    assert_eq!(changed.text("id"), id);
    let again = confirm(&app, &link).await;
    assert_eq!((again.status, again.code()), (400, "token_used"));
    app.run_pending().await;
    for address in [ANNA, NEW] {
        assert_eq!(templates(&app, address).await.last().unwrap(), "email_changed");
    }

    // Sessions go on; the old address is nobody's, and a link that went there is dead.
    let next = app.post("/api/auth/refresh", json!({"refresh": refresh})).await;
    assert_eq!(next.status, 200);
    let old = app
        .post("/api/auth/login", json!({"email": ANNA, "password": OWLS}))
        .await;
    assert_eq!(old.code(), "invalid_credentials");
    app.log_in(NEW, OWLS).await;
    let dead = json!({"token": reset, "password": STONES});
    assert_eq!(
        app.post("/api/users/password/reset", dead).await.code(),
        "token_revoked"
    );
    let key = app.api_key().await;
    let events = app.request("GET", "/api/events").bearer(&key).send().await;
    let updated = events.body["items"].as_array().unwrap().iter();
    let updated: Vec<_> = updated.filter(|event| event["type"] == "user.updated").collect();
    assert_eq!(updated.len(), 1, "{events:?}");
    assert_eq!(updated[0]["data"]["changed"], json!(["email"]));
    assert_eq!(updated[0]["data"]["email"], NEW);
    // Somebody else may have the old address now.
    assert_ne!(app.user(ANNA, STONES).await, id);
}

async fn the_answer_is_the_same_for_a_taken_address(app: TestApp) {
    app.user(ANNA, OWLS).await;
    app.user(BEN, STONES).await;
    let (access, _) = app.log_in(ANNA, OWLS).await;
    let before = (
        templates(&app, ANNA).await.len(),
        templates(&app, BEN).await.len(),
    );
    let taken = ask(&app, &access, BEN, OWLS).await;
    app.run_pending().await;
    let free = ask(&app, &access, NEW, OWLS).await;
    app.run_pending().await;
    assert_eq!((taken.status, &taken.bytes), (free.status, &free.bytes));
    // Who reads the old address sees the same of both; who has the taken one is sent nothing.
    assert_eq!(templates(&app, ANNA).await.len(), before.0 + 2);
    assert_eq!(templates(&app, BEN).await.len(), before.1);
    assert_eq!(templates(&app, NEW).await, ["confirm_email"]);
}

async fn one_of_sixty_four_presses_wins(mut app: TestApp) {
    let other = app.second_instance().await;
    app.user(ANNA, OWLS).await;
    let (access, _) = app.log_in(ANNA, OWLS).await;
    ask(&app, &access, NEW, OWLS).await;
    app.run_pending().await;
    let link = app.token(NEW, "confirm_email").await;
    let presses = (0..64).map(|n| confirm(if n % 2 == 0 { &app } else { &other }, &link));
    let answers = join_all(presses).await;
    let won = answers.iter().filter(|answer| answer.status == 200).count();
    let used = answers.iter().filter(|answer| answer.code() == "token_used");
    assert_eq!((won, used.count()), (1, 63));
    app.leave_work();
}

async fn a_newer_link_voids_the_older(app: TestApp) {
    app.user(ANNA, OWLS).await;
    let (access, _) = app.log_in(ANNA, OWLS).await;
    ask(&app, &access, "typo@example.org", OWLS).await;
    app.run_pending().await;
    let older = app.token("typo@example.org", "confirm_email").await;
    app.advance(Duration::from_secs(1));
    ask(&app, &access, NEW, OWLS).await;
    app.run_pending().await;
    let newer = app.token(NEW, "confirm_email").await;
    assert_eq!(confirm(&app, &older).await.code(), "token_revoked");
    assert_eq!(confirm(&app, &newer).await.status, 200);
    app.run_pending().await;
}

async fn a_new_password_withdraws_it(app: TestApp) {
    app.user(ANNA, OWLS).await;
    let (access, _) = app.log_in(ANNA, OWLS).await;
    ask(&app, &access, NEW, OWLS).await;
    app.run_pending().await;
    let link = app.token(NEW, "confirm_email").await;
    app.post("/api/users/password/forgot", json!({"email": ANNA}))
        .await;
    app.run_pending().await;
    let reset = app.token(ANNA, "reset_password").await;
    let chosen = json!({"token": reset, "password": STONES});
    assert_eq!(app.post("/api/users/password/reset", chosen).await.status, 204);
    assert_eq!(confirm(&app, &link).await.code(), "token_revoked");
    app.run_pending().await;
}

async fn an_address_that_was_taken_meanwhile_is_refused(app: TestApp) {
    app.user(ANNA, OWLS).await;
    let (access, _) = app.log_in(ANNA, OWLS).await;
    ask(&app, &access, NEW, OWLS).await;
    app.run_pending().await;
    let link = app.token(NEW, "confirm_email").await;
    app.user(NEW, STONES).await;
    let refused = confirm(&app, &link).await;
    assert_eq!((refused.status, refused.code()), (409, "email_taken"));
    // Nothing was used up: should that account go away, the link works.
    let (theirs, _) = app.log_in(NEW, STONES).await;
    let gone = app.request("DELETE", "/api/users/me").bearer(&theirs);
    assert_eq!(gone.json(json!({"password": STONES})).send().await.status, 200);
    assert_eq!(confirm(&app, &link).await.status, 200);
    app.run_pending().await;
}

async fn it_takes_the_password_and_an_address(app: TestApp) {
    app.user(ANNA, OWLS).await;
    let (access, _) = app.log_in(ANNA, OWLS).await;
    let wrong = ask(&app, &access, NEW, STONES).await;
    assert_eq!((wrong.status, wrong.code()), (401, "invalid_credentials"));
    let same = ask(&app, &access, ANNA, OWLS).await;
    assert_eq!(
        (same.status, same.body["errors"]["email"][0]["code"].as_str()),
        (422, Some("unchanged"))
    );
    assert_eq!(ask(&app, &access, "no address", OWLS).await.status, 422);
    let nobody = app
        .post("/api/users/me/email", json!({"email": NEW, "password": OWLS}))
        .await;
    assert_eq!(nobody.code(), "credentials_missing");
    // Another way of writing one's own address is another text and the same person.
    assert_eq!(ask(&app, &access, "Anna@Example.com", OWLS).await.status, 202);
    app.run_pending().await;
    let link = app.token(ANNA, "confirm_email").await;
    assert_eq!(confirm(&app, &link).await.status, 200);
    app.run_pending().await;
    app.log_in(ANNA, OWLS).await;
}

async fn what_is_over_is_swept(app: TestApp) {
    app.user(ANNA, OWLS).await;
    let (access, _) = app.log_in(ANNA, OWLS).await;
    ask(&app, &access, NEW, OWLS).await;
    app.run_pending().await;
    let token = app.token(NEW, "confirm_email").await;
    let checked = app
        .app
        .tokens
        .tokens()
        .check::<gatepost_tokens::ChangeEmail>(&token);
    let id = checked.unwrap().extra.change.parse().unwrap();
    app.advance(Duration::from_secs(8 * 86_400));
    app.sweep().await;
    let left = app.app.store.run_tx("left", move |tx| {
        Box::pin(async move { email_changes::withdraw(tx, id, "").await })
    });
    assert!(!left.await.unwrap());
    assert_eq!(confirm(&app, &token).await.code(), "token_expired");
}
