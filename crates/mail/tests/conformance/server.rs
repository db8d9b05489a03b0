//! What the mail server says and what becomes of letters then.

use std::time::Duration;

use gatepost_messaging::{Envelope, Outbox};
use serde_json::json;

use crate::databases::{Database, on_both};
use crate::rig::{Rig, address, message};

on_both!(
    refused_for_good_fails_at_once,
    put_off_is_tried_again_later_and_later,
    an_outage_uses_up_no_attempt,
    a_wrong_password_pauses_and_loses_nothing,
    policy_refusals_of_everybody_are_our_fault,
    each_recipient_has_a_state,
    files_and_captured_mail,
    mail_of_python_programs,
);

async fn refused_for_good_fails_at_once(db: Database) {
    let rig = Rig::new(db).await;
    for (to, reply) in [
        ("perm", "550 5.1.1 nobody of that name"),
        ("dperm", "554 5.6.0 not this"),
    ] {
        let id = rig.enqueue(message(to)).await;
        rig.work().await;
        let delivery = rig.delivery(id).await;
        assert_eq!(
            (delivery.state.as_str(), delivery.reply.as_deref()),
            ("failed", Some(reply))
        );
    }
    // The ledger keeps what the server said; there is nothing for a person to decide.
    assert_eq!(rig.queued().await, (0, 0));
}

async fn put_off_is_tried_again_later_and_later(db: Database) {
    let rig = Rig::new(db).await;
    let never = rig.enqueue(message("tmp")).await;
    let once = rig.enqueue(message("oncedtmp")).await;
    let cut = rig.enqueue(message("oncedrop")).await;
    rig.work().await;
    let mut last = Duration::ZERO;
    for attempts in 1..=5 {
        let delivery = rig.delivery(never).await;
        assert_eq!(
            (delivery.state.as_str(), delivery.attempts),
            ("deferred", attempts)
        );
        let wait = delivery.next_attempt_at.unwrap().since(rig.store.now());
        assert!(wait > last, "{wait:?} after {last:?}");
        last = wait;
        rig.later(wait + Duration::from_secs(1)).await;
    }
    for id in [once, cut] {
        assert_eq!((rig.state(id).await.as_str(), rig.copies(id)), ("sent", 1));
        assert_eq!(rig.events(id).await, ["queued", "sending", "deferred", "sent"]);
    }
    for _ in 0..12 {
        rig.later(Duration::from_hours(8)).await;
    }
    assert_eq!(rig.state(never).await, "failed");
    assert_eq!(rig.queued().await, (0, 1));
}

async fn an_outage_uses_up_no_attempt(db: Database) {
    let rig = Rig::new(db).await;
    rig.sink.set_up(false);
    let mut ids = Vec::new();
    for n in 0..5 {
        ids.push(rig.enqueue(message(&format!("ok-{n}"))).await);
    }
    let worker = rig.worker();
    let health = worker.health();
    worker.run_pending().await.unwrap();
    assert!(health.paused_until().is_some() && health.why_paused().contains("connect"));
    for _ in 0..40 {
        rig.later(Duration::from_mins(1)).await;
    }
    for id in &ids {
        let delivery = rig.delivery(*id).await;
        assert!(
            matches!(delivery.state.as_str(), "waiting" | "deferred") && delivery.attempts == 0,
            "{delivery:?}"
        );
    }
    rig.sink.set_up(true);
    for _ in 0..5 {
        rig.later(Duration::from_mins(2)).await;
    }
    for id in ids {
        assert_eq!((rig.state(id).await.as_str(), rig.copies(id)), ("sent", 1));
        assert!(
            rig.events(id).await.len() < 8,
            "an outage does not fill the timeline"
        );
    }
}

async fn a_wrong_password_pauses_and_loses_nothing(db: Database) {
    let rig = Rig::new(db).await;
    let login = rig.sink.url().replace("smtp://", "smtp://user:pass@");
    rig.sink.answer_auth(535, "5.7.8 wrong");
    let id = rig.enqueue(message("ok")).await;
    rig.worker_through(rig.transport(&login))
        .run_pending()
        .await
        .unwrap();
    let delivery = rig.delivery(id).await;
    assert_eq!((delivery.state.as_str(), delivery.attempts), ("deferred", 0));
    assert!(delivery.reply.unwrap().contains("535"));
    rig.later(Duration::from_mins(2)).await;
    assert_eq!(rig.state(id).await, "sent");
}

async fn policy_refusals_of_everybody_are_our_fault(db: Database) {
    let rig = Rig::new(db).await;
    let mut ids = Vec::new();
    for n in 0..12 {
        ids.push(rig.enqueue(message(&format!("policy-{n}"))).await);
    }
    rig.worker().concurrency(1).run_pending().await.unwrap();
    let mut failed = 0;
    for id in &ids {
        failed += usize::from(rig.state(*id).await == "failed");
    }
    assert_eq!(failed, 4, "the others wait for somebody to mend it");
}

async fn each_recipient_has_a_state(db: Database) {
    let rig = Rig::new(db).await;
    let body = json!({"to_email": address("ok"), "cc": [address("perm")], "bcc": [address("oncetmp")],
        "template_data": {"message": "M"}});
    let id = rig
        .enqueue(gatepost_mail::wire::MailRequest::from_value(&body).unwrap())
        .await;
    rig.work().await;
    rig.later(Duration::from_mins(1)).await;
    let shown = rig.show(id).await;
    let mut states: Vec<_> = shown.copies.iter().map(|copy| copy.state.as_str()).collect();
    states.sort_unstable();
    assert_eq!(
        (shown.delivery.state.as_str(), states),
        ("sent", vec!["failed", "sent"])
    );
    let received = rig.sink.received();
    assert_eq!((received.len(), rig.copies(id)), (2, 2));
    for mail in received {
        assert!(mail.data.contains("To: ok@example.com") && mail.data.contains("Cc: perm@example.com"));
        assert!(!mail.data.contains("oncetmp"), "nobody is told of a blind copy");
    }
}

async fn files_and_captured_mail(db: Database) {
    let rig = Rig::new(db).await;
    let folder = tempfile::tempdir().unwrap();
    let to_file = rig.enqueue(message("ok")).await;
    rig.worker_through(rig.transport(&format!("file:{}", folder.path().display())))
        .run_pending()
        .await
        .unwrap();
    let text = std::fs::read_to_string(folder.path().join(format!("{to_file}.eml"))).unwrap();
    assert!(text.contains("Subject: Hello"));

    let first = rig.enqueue(message("anna")).await;
    let second = rig.enqueue(message("boris")).await;
    rig.worker_through(rig.transport("capture"))
        .run_pending()
        .await
        .unwrap();
    for id in [to_file, first, second] {
        assert_eq!(rig.state(id).await, "sent");
    }
    let all = rig
        .mailer
        .inbox(&gatepost_mail::InboxFilter::default())
        .await
        .unwrap();
    assert_eq!(all.len(), 2);
    assert!(all[0].cursor < all[1].cursor);
    let filter = gatepost_mail::InboxFilter {
        to: Some("Anna@Example.com".parse().unwrap()),
        ..Default::default()
    };
    let annas = rig.mailer.inbox(&filter).await.unwrap();
    assert_eq!(
        (annas.len(), annas[0].id, annas[0].to.as_str()),
        (1, first, "anna@example.com")
    );
    assert!(
        annas[0].subject == "Hello"
            && annas[0].text.contains("A word")
            && annas[0].template == "notification"
    );
    let filter = gatepost_mail::InboxFilter {
        after: Some(all[0].cursor),
        ..Default::default()
    };
    assert_eq!(rig.mailer.inbox(&filter).await.unwrap(), all[1..]);
    assert_eq!(rig.mailer.inbox_get(second).await.unwrap().unwrap().id, second);
}

async fn mail_of_python_programs(db: Database) {
    let rig = Rig::new(db).await;
    let outbox = Outbox::new(&rig.store);
    let wire = json!({"to_email": "ok@example.com", "subject": "Тема", "template_data": {"message": "M", "html_content": "<p>H</p>"}});
    let good = outbox
        .enqueue(Envelope::json("email_queue", "", &wire).unwrap())
        .await
        .unwrap()
        .id();
    let bad = outbox.enqueue(Envelope::bytes(
        "email_queue",
        "",
        "application/json",
        b"{\"to_email\"".to_vec(),
    ));
    let bad = bad.await.unwrap().id();
    rig.work().await;
    assert_eq!((rig.state(good).await.as_str(), rig.copies(good)), ("sent", 1));
    assert!(rig.sink.received()[0].data.contains("<p>H</p>"));
    assert_eq!(
        rig.queued().await,
        (0, 1),
        "what cannot be read is a dead letter: {bad}"
    );
}
