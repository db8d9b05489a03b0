//! Rendered for a Python consumer.

use gatepost_mail::wire::{Content, MailRequest};
use gatepost_mail::{MailError, Transport};
use gatepost_messaging::Broker;
use lapin::types::AMQPValue;
use serde_json::{Value, json};

use crate::world::{World, mailer, message};

pub(crate) async fn letters_for_a_python_consumer(mut world: World) {
    world.mailer = mailer(&world.store, true);
    let mut asked = message("anna", "A <b> word");
    let until = world.clock.now() + std::time::Duration::from_secs(3600);
    asked.expires_at = Some(until.as_micros());
    let id = world.enqueue(asked).await;
    let wire = || Transport::wire(&world.broker, "email_queue");
    let worker = world.mailer.worker(Broker::embedded(&world.store), wire());
    worker.run_pending().await.unwrap();
    assert_eq!(world.state(id).await, "handed_over");
    let timeline = world.show(id).await.timeline;
    assert_eq!(timeline.last().unwrap().event, "handed_over");
    assert!(world.row(id).await.is_none());

    let message = world.get("email_queue").await.expect("a letter");
    let body: Value = serde_json::from_slice(&message.data).unwrap();
    assert_eq!(body["to_email"], "anna@example.com");
    assert_eq!(body["subject"], "T");
    assert_eq!(body["from_email"], "Gatepost <noreply@gatepost.test>");
    let html = body["template_data"]["html_content"].as_str().unwrap();
    assert!(
        html.contains("A &lt;b&gt; word") && html.contains("<html"),
        "{html}"
    );
    assert!(
        body["template_data"]["message"]
            .as_str()
            .unwrap()
            .contains("A <b> word")
    );
    assert_eq!(*message.properties.delivery_mode(), Some(2));
    assert_eq!(
        message.properties.message_id().as_ref().unwrap().as_str(),
        id.to_string()
    );
    let headers = message.properties.headers().clone().unwrap();
    assert_eq!(
        headers.inner().get("x-expires-at"),
        Some(&AMQPValue::LongLongInt(until.as_micros()))
    );
    // Our own worker can deliver it as well.
    let read = MailRequest::parse_wire(&message.data).unwrap();
    assert!(matches!(read.content, Content::Message(data) if data.html_content.is_some()));

    // A queue that is gone is declared again, and the letter follows.
    world.delete("email_queue").await;
    let id = world.enqueue(message_to_bob()).await;
    for _ in 0..3 {
        let worker = world.mailer.worker(Broker::embedded(&world.store), wire());
        worker.run_pending().await.unwrap();
        world.later(std::time::Duration::from_secs(120));
    }
    assert_eq!(world.state(id).await, "handed_over");
    assert_eq!(world.depth("email_queue").await, 1);

    for (field, value) in [
        ("cc", json!(["x@example.com"])),
        ("bcc", json!(["x@example.com"])),
        ("reply_to", json!("x@example.com")),
        ("text", json!("own")),
        ("headers", json!({"X-A": "b"})),
        (
            "attachments",
            json!([{"name": "a", "type": "text/plain", "base64": ""}]),
        ),
    ] {
        let mut body = json!({"to_email": "a@example.com", "template_data": {"message": "m"}});
        body[field] = value;
        let request = MailRequest::from_value(&body).unwrap();
        let mailer = world.mailer.clone();
        let refused = world.store.run_tx("test", move |tx| {
            let (mailer, request) = (mailer.clone(), request.clone());
            Box::pin(async move { mailer.enqueue_request(tx, &request, None).await })
        });
        let refused = refused.await.unwrap_err();
        assert!(
            matches!(refused, MailError::NotForPython(named) if named == field),
            "{refused}"
        );
    }
}

fn message_to_bob() -> MailRequest {
    message("bob", "Again")
}
