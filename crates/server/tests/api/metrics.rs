//! What Prometheus reads.

use std::collections::{BTreeMap, BTreeSet};

use axum::body::Body;
use axum::http::Request;
use gatepost::roles::Roles;
use gatepost::router::{Side, router};
use gatepost::testing::TestApp;
use gatepost_storage::Timestamp;
use serde_json::json;
use tower::ServiceExt;

use crate::on_both;

on_both!(
    all_that_was_promised_is_there,
    what_happened_is_counted,
    a_database_that_is_away_is_told
);

/// Every sample by its name and labels; panics where the text is not Prometheus'.
async fn samples(app: &TestApp) -> BTreeMap<String, f64> {
    let answer = app.get("/metrics").await;
    assert_eq!(answer.status, 200);
    let kind = answer.header("content-type").unwrap().to_owned();
    assert!(kind.starts_with("text/plain; version=0.0.4"), "{kind}");
    let text = String::from_utf8(answer.bytes).unwrap();
    let (mut families, mut samples) = (BTreeSet::new(), BTreeMap::new());
    for line in text.lines() {
        if let Some(family) = line.strip_prefix("# TYPE ") {
            let (name, kind) = family.split_once(' ').unwrap();
            assert!(["counter", "gauge", "histogram"].contains(&kind), "{line}");
            assert!(families.insert(name.to_owned()), "{name} comes twice");
            continue;
        }
        if line.starts_with("# HELP ") {
            continue;
        }
        let (series, value) = line.rsplit_once(' ').unwrap();
        let name = series.split('{').next().unwrap();
        let family = ["_bucket", "_sum", "_count"]
            .iter()
            .find_map(|end| name.strip_suffix(end))
            .filter(|family| families.contains(*family));
        assert!(families.contains(family.unwrap_or(name)), "{line} has no type");
        let value: f64 = value.parse().unwrap_or_else(|_| panic!("{line}"));
        assert!(
            samples.insert(series.to_owned(), value).is_none(),
            "{series} comes twice"
        );
    }
    for family in families {
        samples.entry(format!("family {family}")).or_insert(1.0);
    }
    samples
}

async fn all_that_was_promised_is_there(app: TestApp) {
    app.user(crate::ANNA, crate::OWLS).await;
    app.sweep().await;
    let samples = samples(&app).await;
    for family in [
        "gatepost_ready",
        "gatepost_queue_oldest_seconds",
        "gatepost_queue_depth",
        "gatepost_mail_total",
        "gatepost_mail_accept_to_sent_seconds",
        "gatepost_mail_duplicates_total",
        "gatepost_dead_letters",
        "gatepost_smtp_paused",
        "gatepost_broker_connected",
        "gatepost_revocations_age_seconds",
        "gatepost_revocations",
        "gatepost_tokens_total",
        "gatepost_http_request_seconds",
        "gatepost_last_sweep_timestamp_seconds",
    ] {
        assert!(samples.contains_key(&format!("family {family}")), "{family}");
    }
    assert!((samples["gatepost_ready"] - 1.0).abs() < 0.1);
    let swept = samples["gatepost_last_sweep_timestamp_seconds"];
    #[expect(clippy::cast_possible_truncation, reason = "seconds since 1970")]
    let swept = swept as i64;
    assert_eq!(Timestamp::from_secs(swept), app.clock.now());
}

async fn what_happened_is_counted(mut app: TestApp) {
    app.leave_work();
    app.user(crate::ANNA, crate::OWLS).await;
    let (access, refresh) = app.log_in(crate::ANNA, crate::OWLS).await;
    for _ in 0..3 {
        app.request("GET", "/api/users/me").bearer(&access).send().await;
    }
    app.post("/api/auth/refresh", json!({ "refresh": refresh })).await;
    app.request("GET", "/api/users/me")
        .bearer("nonsense")
        .send()
        .await;
    let path = "/api/service/users/0197c0de-0000-7000-8000-00000000000";
    for n in 0..9 {
        app.get(&format!("{path}{n}")).await;
    }
    app.get("/there/is/no/such/page").await;
    app.post("/api/users/password/forgot", json!({ "email": crate::ANNA }))
        .await;
    app.advance(std::time::Duration::from_secs(90));
    let samples = samples(&app).await;
    let queues: Vec<_> = samples
        .iter()
        .filter(|(name, _)| name.starts_with("gatepost_queue_") && name.contains("waiting"))
        .map(|(_, value)| *value)
        .collect();
    assert_eq!(
        queues,
        [1.0, 90.0],
        "one job that has been due for 90 s: {samples:?}"
    );
    for (series, value) in [
        (
            r#"gatepost_tokens_total{purpose="access",op="check",outcome="ok"}"#,
            3.0,
        ),
        (
            r#"gatepost_tokens_total{purpose="access",op="check",outcome="malformed"}"#,
            1.0,
        ),
        (
            r#"gatepost_tokens_total{purpose="refresh",op="refresh",outcome="ok"}"#,
            1.0,
        ),
        (
            r#"gatepost_tokens_total{purpose="activate",op="verify",outcome="ok"}"#,
            1.0,
        ),
        (
            r#"gatepost_http_request_seconds_count{route="/api/users/me",status="200"}"#,
            3.0,
        ),
        (
            r#"gatepost_http_request_seconds_count{route="/api/users/me",status="401"}"#,
            1.0,
        ),
        (
            r#"gatepost_http_request_seconds_count{route="/api/service/users/{id}",status="401"}"#,
            9.0,
        ),
        (
            r#"gatepost_http_request_seconds_count{route="-",status="404"}"#,
            1.0,
        ),
    ] {
        assert_eq!(samples.get(series), Some(&value), "{series}: {samples:?}");
    }
}

async fn a_database_that_is_away_is_told(mut app: TestApp) {
    app.leave_work();
    assert_eq!(app.get("/readyz").await.status, 200);
    app.app.store.close().await;
    let samples = samples(&app).await;
    assert_eq!(samples.get("gatepost_ready"), Some(&0.0));
    assert!(samples.contains_key("gatepost_revocations_age_seconds"));
    assert!(!samples.contains_key("family gatepost_queue_depth"));
}

#[tokio::test(flavor = "multi_thread")]
async fn letters_are_counted_by_template_and_the_second_door_takes_the_route_along() {
    let app = TestApp::sqlite().await;
    let body = json!({"email": crate::ANNA, "password": crate::OWLS});
    app.post("/api/users", body).await;
    app.advance(std::time::Duration::from_secs(3));
    app.run_pending().await;
    let samples = samples(&app).await;
    let letters = r#"gatepost_mail_total{template="activate_account",outcome="sent"}"#;
    assert_eq!(samples.get(letters), Some(&1.0), "{samples:?}");
    assert_eq!(
        samples.get("gatepost_mail_accept_to_sent_seconds_count"),
        Some(&1.0)
    );
    assert_eq!(samples.get("gatepost_mail_duplicates_total"), Some(&0.0));
    for (side, status) in [(Side::Public, 404), (Side::Admin, 200), (Side::Both, 200)] {
        let request = Request::get("/metrics").body(Body::empty()).unwrap();
        let router = router(&app.app, Roles::ALL, side).unwrap();
        assert_eq!(
            router.oneshot(request).await.unwrap().status(),
            status,
            "{side:?}"
        );
    }
}
