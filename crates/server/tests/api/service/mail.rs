//! `/api/mail*`.

use serde_json::json;

use crate::world::{World, on_both};

on_both!(
    a_letter_goes_its_way_and_can_be_followed,
    an_idempotency_key_queues_one_letter,
    what_is_no_letter_is_refused_by_field,
    lists_come_in_parts,
);

async fn a_letter_goes_its_way_and_can_be_followed(world: World) {
    let key = world.key(&["mail:send", "mail:read"]).await;
    let body = json!({ "to_email": "anna@example.com", "template_data": { "title": "Hello", "message": "First line" }, "unknown": 1 });
    let queued = world.post("/api/mail", Some(&key), &body).await;
    assert_eq!(queued.status, 202, "{}", queued.body);
    let path = format!("/api/mail/{}", queued.body["id"].as_str().unwrap());
    let waiting = world.get(&path, Some(&key)).await;
    assert_eq!(
        (&waiting.body["state"], &waiting.body["to"]),
        (&json!("waiting"), &json!("a***@e***.com"))
    );
    world.run_pending().await;
    let sent = world.get(&path, Some(&key)).await;
    assert_eq!(
        (&sent.body["state"], &sent.body["template"]),
        (&json!("sent"), &json!("notification"))
    );
    let events: Vec<_> = sent.body["timeline"]
        .as_array()
        .unwrap()
        .iter()
        .map(|e| e["event"].as_str().unwrap())
        .collect();
    assert_eq!((events.first(), events.last()), (Some(&"queued"), Some(&"sent")));

    let letters = world.get("/api/inbox?to=anna%40example.com", Some(&key)).await;
    let letter = &letters.body["items"][0];
    assert_eq!(letter["subject"], "Hello");
    assert!(letter["text"].as_str().unwrap().contains("First line"));
    let one = world
        .get(
            &format!("/api/inbox/{}", letter["id"].as_str().unwrap()),
            Some(&key),
        )
        .await;
    assert_eq!(&one.body, letter);
    for id in ["no-such-id", "01890000-0000-7000-8000-000000000000"] {
        assert_eq!(
            world.get(&format!("/api/mail/{id}"), Some(&key)).await.status,
            404
        );
        assert_eq!(
            world.get(&format!("/api/inbox/{id}"), Some(&key)).await.status,
            404
        );
    }
}

async fn an_idempotency_key_queues_one_letter(world: World) {
    let key = world.key(&["mail:send"]).await;
    let send = |message: &'static str| {
        let (world, key) = (&world, &key);
        let body = json!({ "to_email": "anna@example.com", "template_data": { "message": message } });
        async move {
            world
                .call(
                    "POST",
                    "/api/mail",
                    Some(key),
                    Some(&body),
                    &[("idempotency-key", "k1")],
                )
                .await
        }
    };
    let (first, again) = (send("one").await, send("one").await);
    assert_eq!((first.status, &first.body), (202, &again.body));
    assert_eq!(send("two").await.code(), "idempotency_key_reused");
    world.run_pending().await;
    assert_eq!(world.letters("anna@example.com").await.len(), 1);
}

async fn what_is_no_letter_is_refused_by_field(world: World) {
    let key = world.key(&["mail:send", "mail:read"]).await;
    for (field, body) in [
        (
            "to_email",
            json!({ "to_email": "a@b.co\r\nBcc: x@y.co", "template_data": { "message": "m" } }),
        ),
        ("to_email", json!({ "template_data": { "message": "m" } })),
        ("template_data", json!({ "to_email": "a@b.co" })),
        (
            "template",
            json!({ "to_email": "a@b.co", "template": "no_such", "data": {} }),
        ),
        (
            "template",
            json!({ "to_email": "a@b.co", "template": "activate_account", "data": { "link": "https://evil.example" } }),
        ),
        (
            "template",
            json!({ "to_email": "a@b.co", "template": "invitation",
                "data": { "link": "https://evil.example", "invited_at": "2026-01-01T00:00:00Z", "lifetime": 60 } }),
        ),
        (
            "expires_at",
            json!({ "to_email": "a@b.co", "template_data": { "message": "m" }, "expires_at": "2001-01-01T00:00:00Z" }),
        ),
        ("body", json!(["a"])),
    ] {
        let answer = world.post("/api/mail", Some(&key), &body).await;
        assert_eq!(
            (answer.status, answer.code()),
            (422, "validation_failed"),
            "{body}: {}",
            answer.body
        );
        assert!(
            answer.body["errors"][field].is_array(),
            "{field}: {}",
            answer.body
        );
    }
    let large =
        json!({ "to_email": "a@b.co", "template_data": { "message": "m" }, "padding": "x".repeat(12 << 20) });
    assert_eq!(world.post("/api/mail", Some(&key), &large).await.status, 413);
    // As much as the documents promise, in base64.
    let file = "AAAA".repeat(7 * 1024 * 1024 / 3);
    let attachments = json!([{ "name": "a.bin", "type": "application/octet-stream", "base64": file }]);
    let fits =
        json!({ "to_email": "a@b.co", "template_data": { "message": "m" }, "attachments": attachments });
    let queued = world.post("/api/mail", Some(&key), &fits).await;
    assert_eq!(queued.status, 202, "{}", queued.body);
    world.run_pending().await;
    let path = format!("/api/mail/{}", queued.body["id"].as_str().unwrap());
    assert_eq!(world.get(&path, Some(&key)).await.body["state"], "sent");
}

async fn lists_come_in_parts(world: World) {
    let key = world.key(&["mail:send", "mail:read"]).await;
    for n in 0..5 {
        let body = json!({ "to_email": format!("u{n}@example.com"), "template_data": { "message": "m" } });
        assert_eq!(world.post("/api/mail", Some(&key), &body).await.status, 202);
    }
    world.run_pending().await;
    for path in ["/api/mail", "/api/inbox"] {
        let (mut ids, mut after) = (Vec::new(), String::new());
        loop {
            let page = world.get(&format!("{path}?limit=2{after}"), Some(&key)).await;
            assert_eq!(page.status, 200, "{}", page.body);
            let items = page.body["items"].as_array().unwrap();
            assert!(items.len() <= 2);
            ids.extend(items.iter().map(|item| item["id"].as_str().unwrap().to_owned()));
            match page.body["next"].as_str() {
                Some(next) => after = format!("&after={next}"),
                None => break,
            }
        }
        let distinct: std::collections::BTreeSet<_> = ids.iter().collect();
        assert_eq!((ids.len(), distinct.len()), (5, 5), "{path}");
    }
    let one = world
        .get("/api/mail?to=u3%40example.com&state=sent", Some(&key))
        .await;
    assert_eq!(one.body["items"].as_array().unwrap().len(), 1);
    for bad in [
        "limit=0",
        "limit=501",
        "limit=x",
        "after=x",
        "to=nobody",
        "state=lost",
    ] {
        assert_eq!(
            world.get(&format!("/api/mail?{bad}"), Some(&key)).await.status,
            422,
            "{bad}"
        );
    }
}
