//! Tables stay as small as what is alive, whoever does it, and one at a time.

use std::time::Duration;

use gatepost::testing::TestApp;
use gatepost_storage::testing::row_counts;
use gatepost_storage::{new_id, sweeper};
use serde_json::json;

use crate::on_both;

on_both!(
    everything_that_is_over_goes,
    what_is_alive_stays,
    of_two_instances_one_sweeps_and_one_that_died_holds_nobody_up
);

const DAY: Duration = Duration::from_secs(86_400);
const LATELY: Duration = Duration::from_secs(50);
const BORIS: &str = "boris@example.com";

/// A little of everything that is kept for a while.
async fn live(app: &TestApp) {
    app.user(crate::ANNA, crate::OWLS).await;
    let body = json!({"email": BORIS, "password": crate::STONES});
    app.post("/api/users", body).await;
    app.run_pending().await;
    let key = app.api_key().await;
    for _ in 0..3 {
        let (access, refresh) = app.log_in(crate::ANNA, crate::OWLS).await;
        app.request("GET", "/api/users/me").bearer(&access).send().await;
        app.post("/api/auth/logout", json!({ "refresh": refresh })).await;
        let made = app
            .request("POST", "/api/tokens")
            .bearer(&key)
            .json(json!({"user_id": "u", "purpose": "activate"}))
            .send()
            .await;
        let token = made.text("token");
        let verify = json!({"token": token, "purpose": "activate"});
        let idempotent = new_id(app.clock.now()).to_string();
        let verified = app
            .request("POST", "/api/tokens/verify")
            .bearer(&key)
            .header("idempotency-key", &idempotent)
            .json(verify)
            .send()
            .await;
        assert_eq!(verified.status, 200, "{verified:?}");
        let mail = json!({"to_email": BORIS, "template_data": {"title": "t", "message": "m"}});
        let sent = app
            .request("POST", "/api/mail")
            .bearer(&key)
            .header("idempotency-key", &idempotent)
            .json(mail)
            .send()
            .await;
        assert_eq!(sent.status, 202, "{sent:?}");
    }
    app.run_pending().await;
    // Events are kept from when they got their number, which is when somebody first asks.
    app.app.events.after(0, 1).await.unwrap();
}

/// What has to be swept. (Suppressions, dead letters and the console have tests of their own.)
const SWEPT: [&str; 13] = [
    "audit",
    "blacklist",
    "deliveries",
    "delivery_events",
    "events",
    "generations",
    "handled",
    "inbox",
    "mail_keys",
    "registrations",
    "revocation_log",
    "sessions",
    "verify_answers",
];

async fn everything_that_is_over_goes(app: TestApp) {
    live(&app).await;
    let counts = row_counts(&app.app.store).await.unwrap();
    app.advance(400 * DAY);
    app.sweep().await;
    let after = row_counts(&app.app.store).await.unwrap();
    for table in SWEPT {
        assert_eq!(after[table], 0, "{table} had {}", counts[table]);
    }
    for table in ["outbox", "dedupe_keys", "dead_letters"] {
        assert_eq!(after[table], 0, "{table}");
    }
    assert_eq!(after["users"], 1);
}

async fn what_is_alive_stays(app: TestApp) {
    live(&app).await;
    let before = row_counts(&app.app.store).await.unwrap();
    app.sweep().await;
    let after = row_counts(&app.app.store).await.unwrap();
    for (table, rows) in before {
        if table != "sweeper" {
            assert_eq!(after[&table], rows, "{table}");
        }
    }
    let (access, _) = app.log_in(crate::ANNA, crate::OWLS).await;
    app.sweep().await;
    let me = app.request("GET", "/api/users/me").bearer(&access).send().await;
    assert_eq!(me.status, 200);
}

async fn of_two_instances_one_sweeps_and_one_that_died_holds_nobody_up(app: TestApp) {
    live(&app).await;
    app.advance(400 * DAY);
    let other = app.second_instance().await;
    for _ in 0..5 {
        for instance in [&app, &other] {
            instance.advance(Duration::from_secs(60));
        }
        let since = app.clock.now() - LATELY;
        let (here, there) = tokio::join!(
            app.sweep_unless_done_since(since),
            other.sweep_unless_done_since(since)
        );
        assert!(here != there, "one of them: {here} {there}");
    }
    // One that takes the lease and dies.
    for instance in [&app, &other] {
        instance.advance(Duration::from_secs(60));
    }
    let now = app.clock.now();
    let taken = app.app.store.run_tx("take", move |tx| {
        Box::pin(sweeper::take(tx, new_id(now), now + Duration::from_secs(60), now))
    });
    assert!(taken.await.unwrap());
    assert!(!other.sweep_unless_done_since(now).await, "somebody is at it");
    other.advance(Duration::from_secs(60));
    let now = other.clock.now();
    assert!(other.sweep_unless_done_since(now).await, "nobody is any more");
}
