//! What other verifiers are told.

use std::collections::BTreeSet;

use gatepost::testing::TestApp;
use serde_json::Value;

use crate::on_both;

on_both!(
    a_verifier_learns_of_every_revocation_in_parts,
    a_wrong_cursor_is_refused
);

async fn ask(app: &TestApp, key: &str, query: &str) -> Value {
    let path = format!("/api/revocations?{query}");
    let answer = app.request("GET", &path).bearer(key).send().await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.body
}

/// Kind and key of everything new, and where to go on.
async fn catch_up(app: &TestApp, key: &str, after: &mut String) -> BTreeSet<(String, String)> {
    let mut seen = BTreeSet::new();
    loop {
        let part = ask(app, key, &format!("limit=2&after={after}")).await;
        for item in part["items"].as_array().unwrap() {
            let text = |name: &str| item[name].as_str().unwrap().to_owned();
            assert_eq!(item["generation"].is_number(), text("kind") == "user", "{item}");
            seen.insert((text("kind"), text("key")));
        }
        part["next"].as_str().unwrap().clone_into(after);
        if part["more"] == false {
            return seen;
        }
    }
}

async fn a_verifier_learns_of_every_revocation_in_parts(app: TestApp) {
    let key = app.api_key_with(&["events:read"]).await;
    let mut after = ask(&app, &key, "").await["next"].as_str().unwrap().to_owned();
    assert!(catch_up(&app, &key, &mut after).await.is_empty());

    let id = app.user(crate::ANNA, crate::OWLS).await;
    let mut sessions = BTreeSet::new();
    for _ in 0..5 {
        let (access, refresh) = app.log_in(crate::ANNA, crate::OWLS).await;
        let claims = app.app.tokens.tokens().inspect(&access).unwrap().claims;
        let sid = claims["sid"].as_str().unwrap().to_owned();
        sessions.insert(("session".to_owned(), sid));
        let body = serde_json::json!({ "refresh": refresh });
        assert_eq!(app.post("/api/auth/logout", body).await.status, 204);
    }
    assert_eq!(catch_up(&app, &key, &mut after).await, sessions);

    let (access, _) = app.log_in(crate::ANNA, crate::OWLS).await;
    let everywhere = app.request("POST", "/api/auth/logout-everywhere").bearer(&access);
    assert_eq!(everywhere.send().await.status, 204);
    let news = catch_up(&app, &key, &mut after).await;
    assert!(news.contains(&("user".to_owned(), id)), "{news:?}");

    // From the beginning: all of it, until no token can be alive that it would refuse.
    assert_eq!(catch_up(&app, &key, &mut String::from("0")).await.len(), 6);
    app.advance(std::time::Duration::from_secs(2 * 3600));
    assert!(catch_up(&app, &key, &mut String::from("0")).await.is_empty());
}

async fn a_wrong_cursor_is_refused(app: TestApp) {
    let key = app.api_key_with(&["events:read"]).await;
    for wrong in ["x", "p1", "-1", "s1.2.3"] {
        let path = format!("/api/revocations?after={wrong}");
        let answer = app.request("GET", &path).bearer(&key).send().await;
        assert_eq!(answer.status, 422, "{wrong}: {answer:?}");
    }
    let other = app.api_key_with(&["tokens:verify"]).await;
    let answer = app.request("GET", "/api/revocations").bearer(&other).send().await;
    assert_eq!((answer.status, answer.code()), (403, "scope_missing"));
}
