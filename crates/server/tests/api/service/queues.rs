//! `/api/queues*`.

use gatepost_messaging::Outcome;
use serde_json::{Value, json};

use crate::world::World;

async fn publish(world: &World, key: &str, queue: &str, body: &Value) -> gatepost::testing::Answer {
    let path = format!("/api/queues/{queue}/publish");
    world
        .post(&path, Some(key), &json!({"type": "order.paid", "body": body}))
        .await
}

/// Handles what waits, as something that can't.
async fn fail(world: &World, queue: &str) {
    let consumer = world
        .app
        .broker()
        .consume_any(queue, |_| async { Outcome::Fail("no such order".to_owned()) });
    consumer.run_pending().await.unwrap();
}

async fn from_publishing_to_the_end(world: World) {
    let read = world.key(&["queues:read"]).await;
    let write = world.key(&["queues:write"]).await;
    let accepted = publish(&world, &write, "billing", &json!({"order": 7})).await;
    assert_eq!(accepted.status, 202, "{accepted:?}");
    assert_eq!(accepted.body["new"], true);
    let id = accepted.text("id");

    let list = world.get("/api/queues", Some(&read)).await;
    let billing = list.body["items"]
        .as_array()
        .unwrap()
        .iter()
        .find(|q| q["queue"] == "billing");
    assert_eq!(billing.unwrap()["ready"], 1);
    assert_eq!(billing.unwrap()["place"], "database");
    let peeked = world.get("/api/queues/billing/peek", Some(&read)).await;
    assert_eq!(peeked.body["counted_as_delivery"], false);
    let one = &peeked.body["items"][0];
    assert_eq!(
        (one["id"].as_str(), one["type"].as_str()),
        (Some(id.as_str()), Some("order.paid"))
    );
    assert!(one.get("body").is_none(), "only if it is asked for");
    let peeked = world.get("/api/queues/billing/peek?body=true", Some(&read)).await;
    assert_eq!(peeked.body["items"][0]["body"], r#"{"order":7}"#);

    fail(&world, "billing").await;
    let shown = world.get("/api/queues/billing", Some(&read)).await;
    assert_eq!(
        (
            &shown.body["places"][0]["ready"],
            &shown.body["places"][0]["dead"]
        ),
        (&json!(0), &json!(1))
    );
    for path in [
        "/api/queues/billing.dead/peek",
        "/api/queues/billing/peek?dead=true",
    ] {
        let dead = world.get(path, Some(&read)).await;
        assert_eq!(dead.body["items"][0]["dead"]["reason"], "failed", "{dead:?}");
        assert_eq!(dead.body["items"][0]["dead"]["detail"], "no such order");
    }

    let replay = "/api/queues/billing/replay";
    let none = world
        .post(replay, Some(&write), &json!({"reason": "expired"}))
        .await;
    assert_eq!((none.status, &none.body["replayed"]), (200, &json!(0)));
    let bad = world
        .post(replay, Some(&write), &json!({"reason": "bad luck"}))
        .await;
    assert_eq!(bad.status, 422);
    let back = world.post(replay, Some(&write), &json!({"id": id})).await;
    assert_eq!((back.status, &back.body["replayed"]), (200, &json!(1)));
    let again = world.post(replay, Some(&write), &json!({"id": id})).await;
    assert_eq!(again.status, 404);

    fail(&world, "billing").await;
    let discard = format!("/api/queues/billing/dead/{id}");
    assert_eq!(
        world
            .call("DELETE", &discard, Some(&write), None, &[])
            .await
            .status,
        204
    );
    assert_eq!(
        world
            .call("DELETE", &discard, Some(&write), None, &[])
            .await
            .status,
        404
    );
    assert_eq!(world.get("/api/queues/nowhere", Some(&read)).await.status, 404);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_from_publishing_to_the_end() {
    from_publishing_to_the_end(World::with(&[]).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_from_publishing_to_the_end_on_postgres() {
    from_publishing_to_the_end(World::postgres().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_publishes_past_the_doors() {
    let world = World::with(&[]).await;
    let write = world.key(&["queues:write"]).await;
    for ours in ["gatepost.mail", "gatepost.accounts", "gatepost.mail.requests"] {
        let refused = publish(&world, &write, ours, &json!({})).await;
        assert_eq!(refused.status, 422, "{ours}: {refused:?}");
    }
    let mail = json!({"to_email": "ann@example.com", "template_data": {"message": "hello"}});
    let refused = publish(&world, &write, "email_queue", &mail).await;
    assert_eq!((refused.status, refused.code()), (403, "scope_missing"));
    let both = world.key(&["queues:write", "mail:send"]).await;
    assert_eq!(publish(&world, &both, "email_queue", &mail).await.status, 202);
    world.run_pending().await;
    assert_eq!(world.letters("ann@example.com").await.len(), 1);
    for (field, value) in [
        ("priority", json!(10)),
        ("expires_at", json!("2020-01-01T00:00:00Z")),
    ] {
        let mut body = json!({"type": "x", "body": 1});
        body[field] = value;
        let refused = world
            .post("/api/queues/billing/publish", Some(&write), &body)
            .await;
        assert_eq!(refused.status, 422, "{field}");
        assert!(refused.body["errors"].get(field).is_some(), "{refused:?}");
    }
    let long = "q".repeat(201);
    assert_eq!(publish(&world, &write, &long, &json!(1)).await.status, 422);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_key_publishes_once() {
    let world = World::with(&[]).await;
    let write = world.key(&["queues:write"]).await;
    let body = json!({"type": "x", "body": {"n": 1}});
    let call = || {
        world.call(
            "POST",
            "/api/queues/billing/publish",
            Some(&write),
            Some(&body),
            &[("idempotency-key", "seven")],
        )
    };
    let (first, second) = (call().await, call().await);
    assert_eq!((first.status, second.status), (202, 202));
    assert_eq!(first.text("id"), second.text("id"));
    assert_eq!(
        (&first.body["new"], &second.body["new"]),
        (&json!(true), &json!(false))
    );
    let consumer = world
        .app
        .broker()
        .consume_any("billing", |_| async { Outcome::Done });
    consumer.run_pending().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_goes_on_with_the_trace_of_its_request() {
    const TRACE: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let world = World::with(&[]).await;
    let key = world.key(&["queues:read", "queues:write"]).await;
    let own = json!({"traceparent": "of-its-own"});
    for (header, headers, travels) in [
        (TRACE, json!({}), json!({"traceparent": TRACE})),
        ("00-nonsense-b7ad6b7169203331-01", json!({}), json!({})),
        (TRACE, own.clone(), own),
    ] {
        let body = json!({"type": "x", "body": 1, "headers": headers});
        let path = "/api/queues/billing/publish";
        let named = [("traceparent", header)];
        let sent = world.call("POST", path, Some(&key), Some(&body), &named).await;
        let id = sent.text("id");
        let peeked = world.get("/api/queues/billing/peek", Some(&key)).await;
        let items = peeked.body["items"].as_array().unwrap();
        let message = items.iter().find(|item| item["id"] == id.as_str()).unwrap();
        assert_eq!(message["headers"], travels);
    }
    let consumer = world
        .app
        .broker()
        .consume_any("billing", |_| async { Outcome::Done });
    consumer.run_pending().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_that_refuses_is_one_that_is_not_available() {
    let url = std::env::var("GATEPOST_TEST_AMQP_URL")
        .expect("GATEPOST_TEST_AMQP_URL names a RabbitMQ for tests; `scripts/test` starts one");
    let (_, server) = url.rsplit_once('@').unwrap();
    let wrong = format!("amqp://nobody:s3cret@{server}");
    let world = World::with(&[("GATEPOST__BROKER__URL", &wrong)]).await;
    let read = world.key(&["queues:read"]).await;
    for path in ["/api/queues", "/api/queues/billing/peek"] {
        let answer = world.get(path, Some(&read)).await;
        assert_eq!(
            (answer.status, answer.code()),
            (503, "dependency_unavailable"),
            "{path}"
        );
        assert!(!answer.body.to_string().contains("s3cret"));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn queues_of_the_configuration_are_there_before_anything_is_on_them() {
    let world = World::with(&[("GATEPOST__QUEUES__BILLING__RETRIES", "5s, 1m")]).await;
    let read = world.key(&["queues:read"]).await;
    let shown = world.get("/api/queues/billing", Some(&read)).await;
    assert_eq!(
        (shown.status, &shown.body["places"][0]["ready"]),
        (200, &json!(0))
    );
}
