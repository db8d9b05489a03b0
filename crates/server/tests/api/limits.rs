use std::time::Duration;

use gatepost::testing::TestApp;
use serde_json::json;

use crate::{ANNA, OWLS, STONES};

async fn limited() -> TestApp {
    let settings = [
        ("GATEPOST__LIMITS__ENABLED", "true"),
        ("GATEPOST__HTTP__TRUSTED_PROXIES", "127.0.0.0/8"),
    ];
    TestApp::with(&settings).await
}

#[tokio::test(flavor = "multi_thread")]
async fn guessing_at_one_account_is_slowed_whether_or_not_it_exists() {
    let app = limited().await;
    app.user(ANNA, OWLS).await;
    for email in [ANNA, "nobody@example.com"] {
        let guess = json!({"email": email, "password": STONES});
        for _ in 0..10 {
            assert_eq!(
                app.post("/api/auth/login", guess.clone()).await.code(),
                "invalid_credentials"
            );
        }
        let refused = app.post("/api/auth/login", guess).await;
        assert_eq!(
            (refused.status, refused.code(), refused.header("retry-after")),
            (429, "rate_limited", Some("30"))
        );
    }
    // Somebody at another address is not locked out by it.
    let login = json!({"email": ANNA, "password": OWLS});
    let request = app
        .request("POST", "/api/auth/login")
        .header("x-forwarded-for", "203.0.113.9")
        .json(login);
    assert_eq!(request.send().await.status, 200);
    app.advance(Duration::from_secs(30));
    app.log_in(ANNA, OWLS).await;
    // The letter about a login from elsewhere.
    app.run_pending().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn letters_to_one_address_are_counted_known_or_not() {
    let app = limited().await;
    for n in 0..5 {
        let from = format!("203.0.113.{n}");
        let ask = app
            .request("POST", "/api/users/password/forgot")
            .header("x-forwarded-for", &from);
        assert_eq!(ask.json(json!({"email": ANNA})).send().await.status, 202);
    }
    let ask = app
        .request("POST", "/api/users/password/forgot")
        .header("x-forwarded-for", "203.0.113.99");
    let refused = ask.json(json!({"email": "ANNA@example.com"})).send().await;
    assert_eq!(
        (refused.status, refused.header("retry-after")),
        (429, Some("600"))
    );
    app.run_pending().await;
}
