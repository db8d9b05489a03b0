//! What the mail servers' engine does for the worker: pauses, failover, limits, signatures, pictures.

use std::time::Duration;

use gatepost_mail::testing::SmtpSink;
use gatepost_mail::transport::SmtpOptions;
use gatepost_mail::transport::smtp::{Smtp, SmtpSpec, Timeouts};
use gatepost_mail::{Attachment, Dkim, Mailer, MailerSettings, Templates, Transport};
use gatepost_messaging::Broker;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::databases::{Database, on_both};
use crate::rig::{Rig, message, sealer};

on_both!(
    an_outage_is_waited_out_in_hand,
    the_next_server_stands_in,
    one_domain_waits_and_others_do_not,
    a_full_mailbox_is_tried_twice_more,
    a_sender_that_a_server_does_not_like_comes_to_an_end,
    signed_and_with_a_picture,
);

fn through(sinks: &[&SmtpSink], options: &SmtpOptions) -> Transport {
    let specs = sinks.iter().map(|sink| {
        let mut spec: SmtpSpec = sink.url().parse().unwrap();
        spec.timeouts = Timeouts::each(Duration::from_secs(2));
        spec
    });
    Transport::smtp(Smtp::from_specs(specs.collect(), options).unwrap())
}

async fn an_outage_is_waited_out_in_hand(db: Database) {
    let rig = Rig::new(db).await;
    rig.sink.set_up(false);
    let mut ids = Vec::new();
    for n in 0..40 {
        ids.push(rig.enqueue(message(&format!("ok-{n}"))).await);
    }
    let worker = rig.worker().concurrency(8);
    let health = worker.health();
    let stop = CancellationToken::new();
    let working = tokio::spawn(worker.run_until(stop.clone()));
    while health.paused_until().is_none() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    tokio::time::sleep(Duration::from_millis(100)).await;
    let mut touched = 0;
    for id in &ids {
        touched += usize::from(rig.state(*id).await != "waiting");
    }
    assert!(touched <= 16, "{touched} of 40: the rest waits untouched");

    rig.sink.set_up(true);
    let mut left = ids.clone();
    for _ in 0..600 {
        rig.clock.advance(Duration::from_secs(1));
        tokio::time::sleep(Duration::from_millis(10)).await;
        let mut still = Vec::new();
        for id in left {
            if rig.state(id).await != "sent" {
                still.push(id);
            }
        }
        left = still;
        if left.is_empty() {
            break;
        }
    }
    assert!(left.is_empty(), "{} left; {}", left.len(), health.why_paused());
    stop.cancel();
    working.await.unwrap().unwrap();
    assert!(health.paused_until().is_none());
    for id in ids {
        assert_eq!((rig.copies(id), rig.delivery(id).await.attempts), (1, 0));
    }
}

async fn the_next_server_stands_in(db: Database) {
    let rig = Rig::new(db).await;
    let second = SmtpSink::start().unwrap();
    rig.sink.set_up(false);
    let mut ids = Vec::new();
    for n in 0..20 {
        ids.push(rig.enqueue(message(&format!("ok-{n}"))).await);
    }
    let worker = rig.worker_through(through(&[&rig.sink, &second], &SmtpOptions::default()));
    let health = worker.health();
    worker.run_pending().await.unwrap();
    for id in ids {
        assert_eq!(rig.events(id).await, ["queued", "sending", "sent"]);
    }
    assert_eq!(second.received().len(), 20);
    let paused: Vec<bool> = health
        .servers()
        .iter()
        .map(|s| s.paused_until.is_some())
        .collect();
    assert_eq!((paused, health.paused_until()), (vec![true, false], None));
}

async fn one_domain_waits_and_others_do_not(db: Database) {
    let rig = Rig::new(db).await;
    let options = SmtpOptions {
        domain_rate: 1,
        ..SmtpOptions::default()
    };
    let transport = through(&[&rig.sink], &options);
    let to = |address: &str| {
        let body = json!({"to_email": address, "template_data": {"message": "M"}});
        gatepost_mail::wire::MailRequest::from_value(&body).unwrap()
    };
    let mut big = Vec::new();
    for n in 0..6 {
        big.push(rig.enqueue(to(&format!("ok-{n}@big.example"))).await);
    }
    let other = rig.enqueue(to("ok@small.example")).await;
    rig.worker_through(transport.clone()).run_pending().await.unwrap();
    assert_eq!(
        (rig.state(other).await.as_str(), rig.sink.received().len()),
        ("sent", 2)
    );
    for sent in 2..=6 {
        rig.clock.advance(Duration::from_secs(1));
        rig.worker_through(transport.clone()).run_pending().await.unwrap();
        let went = rig
            .sink
            .received()
            .iter()
            .filter(|mail| mail.to.ends_with("big.example"))
            .count();
        assert_eq!(went, sent, "one a second, and each came back in its place");
    }
    for id in big {
        assert_eq!(rig.delivery(id).await.attempts, 0, "waiting is no attempt");
        assert!(rig.events(id).await.len() <= 5, "limited once");
    }
}

async fn a_full_mailbox_is_tried_twice_more(db: Database) {
    let rig = Rig::new(db).await;
    let id = rig.enqueue(message("full")).await;
    rig.work().await;
    for attempts in 1..=2 {
        let delivery = rig.delivery(id).await;
        assert_eq!(
            (delivery.state.as_str(), delivery.attempts),
            ("deferred", attempts)
        );
        let wait = delivery.next_attempt_at.unwrap().since(rig.store.now());
        assert!(wait >= Duration::from_mins(24), "{wait:?}");
        rig.later(wait + Duration::from_secs(1)).await;
    }
    assert_eq!(rig.state(id).await, "failed");
}

async fn a_sender_that_a_server_does_not_like_comes_to_an_end(db: Database) {
    let rig = Rig::new(db).await;
    rig.sink.answer_mail(Some("550 5.7.1 not this sender"));
    let id = rig.enqueue(message("ok")).await;
    rig.work().await;
    assert_eq!(
        rig.delivery(id).await.attempts,
        0,
        "at first it is the server's fault"
    );
    for _ in 0..40 {
        rig.later(Duration::from_hours(8)).await;
        if rig.state(id).await == "failed" {
            return;
        }
    }
    panic!("{:?}", rig.delivery(id).await);
}

async fn signed_and_with_a_picture(db: Database) {
    let rig = Rig::new(db).await;
    let logo = Attachment {
        name: "logo.png".into(),
        content_type: "image/png".into(),
        base64: vec![1, 2, 3],
        cid: None,
    };
    let settings = MailerSettings {
        logo: Some(logo),
        ..MailerSettings::new("Gatepost <noreply@gatepost.test>".parse().unwrap())
    };
    let mailer = Mailer::new(&rig.store, Templates::built_in().unwrap(), sealer(), settings);
    let body =
        json!({"to_email": "ok@example.com", "template_data": {"message": "M", "logo_url": "cid:logo"}});
    rig.enqueue(gatepost_mail::wire::MailRequest::from_value(&body).unwrap())
        .await;
    rig.enqueue(message("ok")).await;
    let key = include_bytes!("../dkim/ed25519.pem");
    let dkim = Dkim::default().with_pem("gatepost.test", "ed1", key).unwrap();
    let worker = mailer
        .worker(Broker::embedded(&rig.store), rig.smtp())
        .sign_with(dkim);
    worker.concurrency(1).run_pending().await.unwrap();
    let received = rig.sink.received();
    assert_eq!(received.len(), 2);
    for mail in &received {
        assert!(
            mail.data.starts_with("DKIM-Signature: v=1; a=ed25519-sha256;"),
            "{}",
            mail.data
        );
    }
    for mail in &received {
        let shown = mail.data.contains("Content-ID: <logo>") && mail.text().contains("cid:logo");
        let plain = !mail.data.contains("Content-ID") && mail.data.contains("Subject: Hello");
        assert!(shown != plain, "{}", mail.data);
    }
}
