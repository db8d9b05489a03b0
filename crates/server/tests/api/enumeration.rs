//! Whether an address is known shows in nothing: status, headers, length, statements, rows, commits.

use gatepost::testing::{Answer, TestApp};
use serde_json::{Value, json};

use crate::{ANNA, OWLS, STONES, on_both};

on_both!(known_and_unknown_cost_the_same);

/// What the database was asked to do for such a request: the least of several times, since the view of what is
/// revoked is read beside it now and then.
async fn cost(app: &TestApp, path: &str, body: Value) -> (Answer, u64, u64, u64) {
    let mut least = cost_once(app, path, body.clone()).await;
    for _ in 0..4 {
        let again = cost_once(app, path, body.clone()).await;
        least.1 = least.1.min(again.1);
        assert_eq!((least.2, least.3), (again.2, again.3));
    }
    least
}

async fn cost_once(app: &TestApp, path: &str, body: Value) -> (Answer, u64, u64, u64) {
    let before = app.app.store.stats();
    let answer = app.post(path, body).await;
    let after = app.app.store.stats();
    let commits =
        |stats: &gatepost_storage::Stats| -> u64 { stats.transactions.values().map(|tx| tx.committed).sum() };
    (
        answer,
        after.statements - before.statements,
        after.rows_written - before.rows_written,
        commits(&after) - commits(&before),
    )
}

fn headers(answer: &Answer) -> Vec<(String, String)> {
    let volatile = ["x-request-id", "date"];
    answer
        .headers
        .iter()
        .filter(|(name, _)| !volatile.contains(&name.as_str()))
        .cloned()
        .collect()
}

async fn known_and_unknown_cost_the_same(app: TestApp) {
    app.user(ANNA, OWLS).await;
    app.post(
        "/api/users",
        json!({"email": "pending@example.com", "password": OWLS}),
    )
    .await;
    app.run_pending().await;
    let unknown = "unka@example.com";
    for (path, extra) in [
        ("/api/users", json!({"password": STONES})),
        ("/api/users/activate/resend", json!({})),
        ("/api/users/password/forgot", json!({})),
        ("/api/auth/login", json!({"password": STONES})),
    ] {
        let body = |email: &str| {
            let mut body = extra.clone();
            body["email"] = json!(email);
            body
        };
        let (known, statements, rows, commits) = cost(&app, path, body(ANNA)).await;
        for other in [unknown, "pending@example.com"] {
            let (answer, s, r, c) = cost(&app, path, body(other)).await;
            assert_eq!(
                (answer.status, answer.bytes),
                (known.status, known.bytes.clone()),
                "{path} {other}"
            );
            assert_eq!(
                (s, r, c),
                (statements, rows, commits),
                "{path} {other}: statements, rows, commits"
            );
        }
        let (again, ..) = cost(&app, path, body(unknown)).await;
        assert_eq!(headers(&again), headers(&known), "{path}");
    }
    app.run_pending().await;
}
