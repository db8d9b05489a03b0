//! What other programs put on `email_queue`, as they do.

use std::time::Duration;

use gatepost_mail::worker::FaultPoint;
use gatepost_mail::{Declined, MailError, NoAccountLetters};
use lapin::BasicProperties;
use lapin::types::{AMQPValue, FieldTable};
use serde_json::json;

use crate::world::World;

fn body(words: &str) -> Vec<u8> {
    let body = json!({"to_email": "ok@example.com", "template_data": {"message": words}, "unknown": [1]});
    serde_json::to_vec(&body).unwrap()
}

pub(crate) async fn letters_of_other_programs(world: World) {
    // Without an id, twice the same words: two letters.
    world.publish(&body("Same"), BasicProperties::default()).await;
    world.publish(&body("Same"), BasicProperties::default()).await;
    // An id counts only with the body.
    let named = || BasicProperties::default().with_message_id("order-7".into());
    world.publish(&body("First"), named()).await;
    world.publish(&body("First"), named()).await;
    world.publish(&body("Second"), named()).await;
    world.worker().run_pending().await.unwrap();
    assert_eq!(world.received("Same"), 2);
    assert_eq!((world.received("First"), world.received("Second")), (1, 1));

    // What can't be read goes to the dead letters, whole, with the reason.
    let garbage = b"{\"to_email\": \"ok@example.com\", ".as_slice();
    world.publish(garbage, BasicProperties::default()).await;
    world.worker().run_pending().await.unwrap();
    let dead = world.get("email_queue.dead").await.expect("a dead letter");
    assert_eq!(dead.data, garbage);
    let headers = dead.properties.headers().clone().unwrap();
    let Some(AMQPValue::LongString(why)) = headers.inner().get("x-dead-detail") else {
        panic!("no reason in {headers:?}");
    };
    assert!(why.to_string().contains("not a JSON object"), "{why}");

    // Tries of a Python consumer count.
    let mut headers = FieldTable::default();
    headers.insert("x-retry-count".into(), AMQPValue::LongInt(3));
    world
        .publish(&body("Tried"), BasicProperties::default().with_headers(headers))
        .await;
    world.worker().run_pending().await.unwrap();
    assert_eq!(world.received("Tried"), 1);
    // A language that is named beside the body is the letter's.
    let mut headers = FieldTable::default();
    headers.insert("x-locale".into(), AMQPValue::LongString("ru".into()));
    world
        .publish(&body("Named"), BasicProperties::default().with_headers(headers))
        .await;
    world.worker().run_pending().await.unwrap();
    assert_eq!(world.received("Named"), 1);

    let filter = gatepost_mail::ListFilter::default();
    let all = world.mailer.list(&filter).await.unwrap();
    let attempts: Vec<i64> = all
        .iter()
        .map(|delivery| delivery.attempts)
        .filter(|n| *n > 0)
        .collect();
    assert_eq!(attempts, [3]);
    let locales: Vec<&str> = all.iter().filter_map(|one| one.locale.as_deref()).collect();
    assert_eq!(locales, ["ru"]);
}

/// What lies among the broker's dead letters is not gone: only out of reach of who would send it again.
pub(crate) async fn dead_letters_of_other_programs(world: World) {
    let body = json!({"to_email": "tmp@example.com", "template_data": {"message": "Hopeless"}});
    let mut headers = FieldTable::default();
    headers.insert("x-retry-count".into(), AMQPValue::LongInt(11));
    let properties = BasicProperties::default().with_headers(headers);
    world
        .publish(&serde_json::to_vec(&body).unwrap(), properties)
        .await;
    world.worker().run_pending().await.unwrap();
    let filter = gatepost_mail::ListFilter::default();
    let letter = world.mailer.list(&filter).await.unwrap().remove(0);
    assert_eq!(letter.state, "failed");
    assert_eq!(world.depth("email_queue.dead").await, 1);

    let mailer = world.mailer.clone();
    let refused = world.store.run_tx("test", move |tx| {
        let mailer = mailer.clone();
        Box::pin(async move { mailer.resend_in(tx, letter.id, &NoAccountLetters, "cli").await })
    });
    let refused = refused.await.unwrap_err();
    assert!(
        matches!(&refused, MailError::Declined(Declined::AtTheBroker(queue)) if queue == "email_queue"),
        "{refused}"
    );
}

pub(crate) async fn a_message_without_an_id_comes_again(world: World) {
    for (point, copies) in [
        (FaultPoint::Claimed, 1),
        (FaultPoint::SendingNoted, 1),
        (FaultPoint::DotNoted, 1),
        // Taken and not noted: the one window for a twin, which carries the same Message-ID.
        (FaultPoint::Accepted, 2),
        (FaultPoint::SentNoted, 1),
    ] {
        let words = format!("{point:?}");
        world.publish(&body(&words), BasicProperties::default()).await;
        world.crash_at(point).await;
        world.later(Duration::from_secs(60));
        for _ in 0..100 {
            world.worker().run_pending().await.unwrap();
            if world.received(&words) == copies && world.depth("email_queue").await == 0 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let received = world.sink.received();
        let ours: Vec<_> = received
            .iter()
            .filter(|mail| mail.text().contains(&words))
            .collect();
        assert_eq!(ours.len(), copies, "{words}");
        assert!(
            ours.iter().all(|mail| mail.message_id == ours[0].message_id),
            "{words}"
        );
    }
    world.later(Duration::from_secs(60));
    world.worker().run_pending().await.unwrap();
    assert_eq!(world.sink.received().len(), 6);
}
