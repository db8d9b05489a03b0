//! Nobody who reads the database or the queue reads letters, and nobody who writes there moves them.

use gatepost_mail::{EnqueueOptions, Letter, Secret};
use gatepost_messaging::{Envelope, Outbox, Queues};
use serde::Serialize;
use serde_json::Value;

use crate::databases::{Database, on_both};
use crate::rig::{Rig, address, message};

on_both!(no_secret_lies_in_the_clear, a_moved_letter_is_never_sent);

#[derive(Serialize)]
struct News {
    title: String,
    message: Secret<String>,
}

impl Letter for News {
    const TEMPLATE: &'static str = "notification";
    fn sample() -> Self {
        Self {
            title: "T".into(),
            message: String::from("M").into(),
        }
    }
}

async fn no_secret_lies_in_the_clear(db: Database) {
    let rig = Rig::new(db).await;
    let mailer = rig.mailer.clone();
    let enqueued = rig.store.run_tx("test", move |tx| {
        let mailer = mailer.clone();
        Box::pin(async move {
            let letter = News {
                title: "Unlikely-Title".into(),
                message: String::from("unlikely-secret-7f3a").into(),
            };
            mailer
                .enqueue_with(tx, &address("ok"), "ru", &letter, EnqueueOptions::default())
                .await
        })
    });
    let id = enqueued.await.unwrap().id;
    let seen = |what: &str| {
        rig.db
            .bytes()
            .is_some_and(|bytes| bytes.windows(what.len()).any(|w| w == what.as_bytes()))
    };
    assert!(!seen("unlikely-secret-7f3a") && !seen("Unlikely-Title"));
    let waiting = Queues::new(&rig.store)
        .peek("gatepost.mail", None, 10)
        .await
        .unwrap();
    assert!(!format!("{waiting:?}").contains("unlikely-secret-7f3a"));

    rig.worker_through(rig.transport("capture"))
        .run_pending()
        .await
        .unwrap();
    let captured = rig.mailer.inbox_get(id).await.unwrap().unwrap();
    assert!(captured.text.contains("unlikely-secret-7f3a"));
    assert!(!seen("unlikely-secret-7f3a"));
    assert_eq!(rig.queued().await, (0, 0), "erased once sent");
}

async fn a_moved_letter_is_never_sent(db: Database) {
    let rig = Rig::new(db).await;
    let id = rig.enqueue(message("ok")).await;
    let queues = Queues::new(&rig.store);
    let waiting = queues.peek("gatepost.mail", None, 10).await.unwrap();
    let letter: Value = waiting[0].body.parse().unwrap();
    assert!(queues.cancel("gatepost.mail", id).await.unwrap());
    let outbox = Outbox::new(&rig.store);
    for (field, value) in [
        ("to", "thief@example.com"),
        ("template", "welcome"),
        ("expires_at", "2099-01-01T00:00:00Z"),
        ("message_id", "00000000-0000-7000-8000-000000000000"),
    ] {
        let mut moved = letter.clone();
        moved[field] = value.into();
        outbox
            .enqueue(Envelope::json("gatepost.mail", "gatepost.letter", &moved).unwrap())
            .await
            .unwrap();
    }
    rig.work().await;
    assert!(rig.sink.received().is_empty());
    assert_eq!(rig.queued().await, (0, 4));
}
