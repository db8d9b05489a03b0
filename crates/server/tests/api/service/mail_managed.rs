//! `/api/mail/{id}/resend`, `/cancel`, `/api/mail/pause`, `/resume`, `/bounces`.

use serde_json::{Value, json};

use crate::world::{World, on_both};

on_both!(
    a_letter_is_taken_back_while_it_waits,
    an_account_letter_is_asked_for_again,
    paused_letters_wait_and_it_shows,
    a_report_counts_with_a_key,
);

fn letter(to: &str) -> Value {
    json!({ "to_email": to, "template_data": { "title": "Hello", "message": "A word" } })
}

async fn queue(world: &World, key: &str, to: &str) -> String {
    let queued = world.post("/api/mail", Some(key), &letter(to)).await;
    assert_eq!(queued.status, 202, "{}", queued.body);
    queued.body["id"].as_str().unwrap().to_owned()
}

async fn shown(world: &World, key: &str, id: &str) -> Value {
    world.get(&format!("/api/mail/{id}"), Some(key)).await.body
}

async fn a_letter_is_taken_back_while_it_waits(world: World) {
    let key = world.key(&["mail:send", "mail:read", "mail:manage"]).await;
    let weak = world.key(&["mail:send", "mail:read"]).await;
    let id = queue(&world, &key, "anna@example.com").await;
    let path = format!("/api/mail/{id}/cancel");
    let refused = world.call("POST", &path, Some(&weak), None, &[]).await;
    assert_eq!((refused.status, refused.code()), (403, "scope_missing"));
    assert_eq!(world.call("POST", &path, Some(&key), None, &[]).await.status, 204);
    let again = world.call("POST", &path, Some(&key), None, &[]).await;
    assert_eq!((again.status, again.code()), (409, "mail_state"));
    world.run_pending().await;
    let stands = shown(&world, &key, &id).await;
    assert_eq!(stands["state"], "cancelled", "{stands}");
    assert!(world.letters("anna@example.com").await.is_empty());
    let audit = world.audit(&id).await;
    assert!(audit.len() == 1 && audit[0].action == "mail.cancelled" && audit[0].actor.starts_with("key:"));

    let sent = queue(&world, &key, "anna@example.com").await;
    world.run_pending().await;
    let late = world
        .call("POST", &format!("/api/mail/{sent}/cancel"), Some(&key), None, &[])
        .await;
    assert_eq!((late.status, late.code()), (409, "mail_state"));
    let gone = world
        .call("POST", &format!("/api/mail/{sent}/resend"), Some(&key), None, &[])
        .await;
    assert_eq!(
        (gone.status, gone.code()),
        (409, "mail_content_erased"),
        "{}",
        gone.body
    );
    let nobody = "/api/mail/01890000-0000-7000-8000-000000000000/resend";
    assert_eq!(
        world.call("POST", nobody, Some(&key), None, &[]).await.status,
        404
    );
}

async fn an_account_letter_is_asked_for_again(world: World) {
    let key = world.key(&["mail:read", "mail:manage"]).await;
    let body = json!({ "email": "anna@example.com", "password": crate::world::PASSWORD });
    assert_eq!(world.post("/api/users", None, &body).await.status, 202);
    world.run_pending().await;
    let first = world.token("anna@example.com", "activate_account").await;
    let list = world
        .get("/api/mail?template=activate_account", Some(&key))
        .await
        .body;
    let id = list["items"][0]["id"].as_str().unwrap();
    // Which of two letters is the newer one is told by the time in their ids.
    world.advance(std::time::Duration::from_secs(1));
    let resent = world
        .call("POST", &format!("/api/mail/{id}/resend"), Some(&key), None, &[])
        .await;
    assert_eq!(resent.status, 202, "{}", resent.body);
    let twice = world
        .call("POST", &format!("/api/mail/{id}/resend"), Some(&key), None, &[])
        .await;
    assert_eq!((twice.status, twice.code()), (409, "mail_state"));
    world.run_pending().await;
    let second = world.token("anna@example.com", "activate_account").await;
    assert_ne!(first, second, "a link of its own");
    let old = world
        .post("/api/users/activate", None, &json!({ "token": first }))
        .await;
    assert_ne!(old.status, 200, "the newer link voids the older one");
    let good = world
        .post("/api/users/activate", None, &json!({ "token": second }))
        .await;
    assert_eq!(good.status, 200, "{}", good.body);
    world.run_pending().await;
    let stands = shown(&world, &key, id).await;
    assert_eq!(
        (&stands["resent_as"], &stands["state"]),
        (&resent.body["id"], &json!("sent"))
    );
}

async fn paused_letters_wait_and_it_shows(world: World) {
    let key = world.key(&["mail:send", "mail:read", "mail:manage"]).await;
    let unknown = world
        .post("/api/mail/pause", Some(&key), &json!({ "template": "newsleter" }))
        .await;
    assert_eq!((unknown.status, unknown.code()), (422, "validation_failed"));
    let pause = json!({ "template": "notification", "reason": "wrong prices" });
    let paused = world.post("/api/mail/pause", Some(&key), &pause).await;
    assert_eq!(
        paused.body["items"][0]["reason"], "wrong prices",
        "{}",
        paused.body
    );
    let ready = world.get("/readyz", None).await;
    assert_eq!(
        (ready.status, &ready.body["degraded"]),
        (200, &json!(["mail_paused"]))
    );
    let id = queue(&world, &key, "anna@example.com").await;
    world.run_pending().await;
    assert_eq!(shown(&world, &key, &id).await["state"], "waiting");
    let resumed = world.post("/api/mail/resume", Some(&key), &json!({})).await;
    assert_eq!((resumed.status, &resumed.body["items"]), (200, &json!([])));
    world.run_pending().await;
    assert_eq!(shown(&world, &key, &id).await["state"], "sent");
    assert_eq!(world.get("/readyz", None).await.body["status"], "ready");
}

async fn a_report_counts_with_a_key(world: World) {
    let key = world.key(&["mail:send", "mail:read", "mail:manage"]).await;
    let weak = world.key(&["mail:send"]).await;
    let id = queue(&world, &key, "anna@example.com").await;
    world.run_pending().await;
    let report = format!(
        "Content-Type: multipart/report; boundary=b\n\n--b\nContent-Type: message/delivery-status\n\n\
         Final-Recipient: rfc822; anna@example.com\nAction: failed\nStatus: 5.1.1\n\n--b\n\
         Content-Type: text/rfc822-headers\n\nMessage-ID: <{id}@localhost>\n\n--b--\n"
    );
    let send = |bearer: Option<String>, kind: &'static str, body: Vec<u8>| {
        let mut request = world
            .request("POST", "/api/mail/bounces")
            .header("content-type", kind)
            .bytes(body);
        if let Some(bearer) = &bearer {
            request = request.bearer(bearer);
        }
        request.send()
    };
    let mail = "message/rfc822";
    let open = send(None, mail, report.clone().into()).await;
    assert_eq!((open.status, open.code()), (401, "credentials_missing"));
    let narrow = send(Some(weak), mail, report.clone().into()).await;
    assert_eq!((narrow.status, narrow.code()), (403, "scope_missing"));
    assert_eq!(shown(&world, &key, &id).await["state"], "sent");

    let noted = send(Some(key.clone()), mail, report.clone().into()).await;
    let item = &noted.body["items"][0];
    assert_eq!(
        (noted.status, &item["id"], &item["counted"], &item["suppressed"]),
        (200, &json!(id), &json!(true), &json!(true))
    );
    let again = send(Some(key.clone()), mail, report.into()).await;
    assert_eq!(again.body["items"][0]["counted"], false);
    let stands = shown(&world, &key, &id).await;
    assert_eq!(stands["state"], "failed");
    assert!(
        stands["bounced_at"].is_string() && !stands.to_string().contains("anna@"),
        "{stands}"
    );
    let next = queue(&world, &key, "anna@example.com").await;
    world.run_pending().await;
    assert_eq!(shown(&world, &key, &next).await["state"], "suppressed");

    let other = queue(&world, &key, "bert@example.com").await;
    world.run_pending().await;
    let words = json!({ "message_id": format!("<{other}@localhost>"), "action": "complaint", "detail": "bert@example.com said so" });
    let noted = world.post("/api/mail/bounces", Some(&key), &words).await;
    assert_eq!(
        (&noted.body["items"][0]["event"], &noted.body["items"][0]["state"]),
        (&json!("complaint"), &json!("sent"))
    );
    for nonsense in [&b"no report"[..], &[0xff, 0xfe, 0], b"--b\n--b--"] {
        let refused = send(Some(key.clone()), mail, nonsense.to_vec()).await;
        assert_eq!(
            (refused.status, refused.code()),
            (422, "validation_failed"),
            "{}",
            refused.body
        );
    }
}

/// Without a key, the address that the letter came back to must carry our tag.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_report_counts_for_the_delivery_that_its_address_names() {
    let world = World::with(&[("GATEPOST__MAIL__BOUNCE_ADDRESS", "bounces@back.example")]).await;
    let key = world.key(&["mail:send", "mail:read"]).await;
    let (id, other) = (
        queue(&world, &key, "anna@example.com").await,
        queue(&world, &key, "bert@example.com").await,
    );
    world.run_pending().await;
    let mailer = &world.app.mailer;
    let base = mailer.settings().bounce_address.clone().unwrap();
    let address = gatepost_mail::verp::address(mailer.sealer(), &base, id.parse().unwrap());
    let words = |address: &str| json!({ "bounce_address": address, "id": other, "message_id": other, "status": "5.1.1" });
    let forged = address.as_str().replacen("bounces+", "bounces+a", 1);
    let refused = world.post("/api/mail/bounces", None, &words(&forged)).await;
    assert_eq!((refused.status, refused.code()), (401, "credentials_missing"));
    let noted = world
        .post("/api/mail/bounces", None, &words(address.as_str()))
        .await;
    assert_eq!(
        (noted.status, &noted.body["items"][0]["id"]),
        (200, &json!(id)),
        "{}",
        noted.body
    );
    assert_eq!(shown(&world, &key, &id).await["state"], "failed");
    assert_eq!(
        shown(&world, &key, &other).await["state"],
        "sent",
        "nobody else's"
    );
    let plain = "Final-Recipient: rfc822; anna@example.com\nAction: failed\nStatus: 5.0.0\n";
    let to = address.as_str().replace('+', "%2B");
    let bare = world
        .request("POST", &format!("/api/mail/bounces?to={to}"))
        .header("content-type", "message/delivery-status")
        .bytes(plain.as_bytes().to_vec())
        .send()
        .await;
    assert_eq!(
        (bare.status, &bare.body["items"][0]["counted"]),
        (200, &json!(false)),
        "{}",
        bare.body
    );
}
