use std::time::Duration;

use futures_util::future::join_all;
use gatepost::testing::TestApp;
use serde_json::json;

use crate::{ANNA, OWLS, on_both};

on_both!(
    a_lost_answer_can_be_had_again,
    an_old_token_ends_the_session_with_a_letter,
    sixty_four_at_once_get_one_successor,
    logging_out
);

async fn refresh(app: &TestApp, token: &str) -> gatepost::testing::Answer {
    app.post("/api/auth/refresh", json!({"refresh": token})).await
}

async fn a_lost_answer_can_be_had_again(app: TestApp) {
    app.user(ANNA, OWLS).await;
    let (access, first) = app.log_in(ANNA, OWLS).await;
    app.advance(Duration::from_secs(60));
    let lost = refresh(&app, &first).await;
    assert_eq!(
        (lost.status, lost.header("cache-control")),
        (200, Some("no-store"))
    );
    app.advance(Duration::from_secs(3600));
    let again = refresh(&app, &first).await;
    assert_eq!((again.status, again.text("refresh")), (200, lost.text("refresh")));
    let wrong = refresh(&app, &access).await;
    assert_eq!((wrong.status, wrong.code()), (401, "token_wrong_purpose"));
    assert_eq!(refresh(&app, "nonsense").await.code(), "token_malformed");
}

async fn an_old_token_ends_the_session_with_a_letter(app: TestApp) {
    app.user(ANNA, OWLS).await;
    let (_, first) = app.log_in(ANNA, OWLS).await;
    app.advance(Duration::from_secs(60));
    let second = refresh(&app, &first).await.text("refresh");
    app.advance(Duration::from_secs(60));
    let third = refresh(&app, &second).await;
    app.advance(Duration::from_secs(60));
    let stolen = refresh(&app, &first).await;
    assert_eq!((stolen.status, stolen.code()), (401, "token_revoked"));
    assert_eq!(
        refresh(&app, &third.text("refresh")).await.code(),
        "token_revoked"
    );
    let me = app
        .request("GET", "/api/users/me")
        .bearer(&third.text("access"))
        .send()
        .await;
    assert_eq!(me.code(), "token_revoked");
    app.run_pending().await;
    assert_eq!(
        app.letters(ANNA).await.last().unwrap().template,
        "refresh_reuse_detected"
    );
    let letters = app.letters(ANNA).await.len();
    assert_eq!(refresh(&app, &first).await.code(), "token_revoked");
    app.run_pending().await;
    assert_eq!(app.letters(ANNA).await.len(), letters, "told once");
}

async fn sixty_four_at_once_get_one_successor(app: TestApp) {
    app.user(ANNA, OWLS).await;
    let other = app.second_instance().await;
    let (_, token) = app.log_in(ANNA, OWLS).await;
    app.advance(Duration::from_secs(5));
    other.advance(Duration::from_secs(5));
    let answers = join_all((0..64).map(|n| refresh(if n % 2 == 0 { &app } else { &other }, &token))).await;
    let successors: std::collections::HashSet<String> = answers.iter().map(|a| a.text("refresh")).collect();
    assert_eq!(successors.len(), 1);
}

async fn logging_out(app: TestApp) {
    app.user(ANNA, OWLS).await;
    let (access, token) = app.log_in(ANNA, OWLS).await;
    let wrong = app.post("/api/auth/logout", json!({"refresh": access})).await;
    assert_eq!((wrong.status, wrong.code()), (400, "token_wrong_purpose"));
    for _ in 0..2 {
        assert_eq!(
            app.post("/api/auth/logout", json!({"refresh": token}))
                .await
                .status,
            204
        );
    }
    assert_eq!(
        app.request("GET", "/api/users/me")
            .bearer(&access)
            .send()
            .await
            .code(),
        "token_revoked"
    );
    assert_eq!(refresh(&app, &token).await.code(), "token_revoked");
    assert_eq!(
        app.post("/api/auth/logout", json!({"refresh": "x"})).await.code(),
        "token_malformed"
    );
}
