//! What is told about letters, and what people decide about them.

use std::time::Duration;

use gatepost_mail::bounce::Report;
use gatepost_mail::worker::FaultPoint;
use gatepost_mail::{Declined, MailError, NoAccountLetters};
use gatepost_storage::{dead_letters, mail_pauses, outbox};
use uuid::Uuid;

use crate::databases::{Database, on_both};
use crate::rig::{Rig, address, message};

on_both!(
    no_mailbox_is_left_alone_until_a_letter_is_taken,
    a_bounce_is_counted_once_and_only_from_who_may_say_so,
    a_complaint_stays_and_a_bounce_ends_by_itself,
    a_paused_letter_waits_and_uses_up_nothing,
    a_running_worker_obeys_a_pause,
    a_letter_is_taken_back_only_while_it_waits,
    a_letter_is_sent_again_once_while_its_content_is_there,
    a_copy_that_comes_late_starts_nothing,
    the_ledger_counts_starts_dots_and_copies,
);

async fn no_mailbox_is_left_alone_until_a_letter_is_taken(db: Database) {
    let rig = Rig::new(db).await;
    for (to, held) in [
        ("perm-1", true),
        ("policy-1", false),
        ("tmp-1", false),
        ("dperm-1", false),
    ] {
        rig.enqueue(message(to)).await;
        rig.work().await;
        let suppressed = rig.mailer.suppression(&address(to)).await.unwrap();
        assert_eq!(suppressed.is_some(), held, "{to}: {suppressed:?}");
    }
    let held = rig.mailer.suppression(&address("perm-1")).await.unwrap().unwrap();
    assert_eq!(held.source, "refused");
    assert!(
        held.reason.contains("5.1.1") && !held.reason.contains("perm-1@"),
        "{held:?}"
    );
    let again = rig.enqueue(message("perm-1")).await;
    rig.work().await;
    assert_eq!(rig.state(again).await, "suppressed");
}

/// A report as a mail server would send it back.
fn report(to: &str, message_id: &str, recipient: &str) -> String {
    format!(
        "To: {to}\r\nContent-Type: multipart/report; report-type=delivery-status; boundary=b\r\n\r\n--b\r\n\
         Content-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx\r\n\r\nFinal-Recipient: rfc822; {recipient}\r\n\
         Action: failed\r\nStatus: 5.1.1\r\nDiagnostic-Code: smtp; 550 5.1.1 <{recipient}> unknown\r\n\r\n--b\r\n\
         Content-Type: text/rfc822-headers\r\n\r\nMessage-ID: {message_id}\r\n\r\n--b--\r\n"
    )
}

async fn a_bounce_is_counted_once_and_only_from_who_may_say_so(db: Database) {
    let mut rig = Rig::new(db).await;
    rig.bounce_to("bounces@back.test");
    let id = rig.enqueue(message("ok")).await;
    rig.work().await;
    let came_from = rig.sink.received()[0].from.clone();
    assert!(
        came_from.starts_with("bounces+") && came_from.ends_with("@back.test"),
        "{came_from}"
    );
    let header = format!("<{id}@gatepost.test>");

    // A made-up tag and a Message-ID prove nothing.
    let forged = came_from.replacen("bounces+", "bounces+a", 1);
    let forged = report(&forged, &header, "ok@example.com");
    let claims = rig.mailer.claims(&Report::parse(forged.as_bytes()), None);
    assert!(claims.iter().all(|claim| !claim.is_proven()), "{claims:?}");

    let real = report(&came_from, &header, "ok@example.com");
    let claims = rig.mailer.claims(&Report::parse(real.as_bytes()), None);
    assert!(claims.len() == 1 && claims[0].is_proven());
    let noted = rig.mailer.bounced(claims.clone()).await.unwrap();
    assert!(
        noted[0].counted && noted[0].suppressed && noted[0].id == Some(id),
        "{noted:?}"
    );
    let again = rig.mailer.bounced(claims).await.unwrap();
    assert!(!again[0].counted && !again[0].suppressed);

    let shown = rig.show(id).await;
    assert_eq!(shown.delivery.state, "failed");
    assert!(shown.delivery.bounced_at.is_some() && shown.delivery.sent_at.is_some());
    let last = shown.timeline.last().unwrap();
    assert_eq!((last.event.as_str(), last.times), ("bounced", 1));
    assert!(
        last.detail.as_deref().unwrap().contains("5.1.1") && !format!("{shown:?}").contains("ok@"),
        "{shown:?}"
    );
    let next = rig.enqueue(message("ok")).await;
    rig.work().await;
    assert_eq!(rig.state(next).await, "suppressed");

    // Nothing that was never sent can come back.
    let waits = rig.enqueue(message("ok-2")).await;
    let claims =
        Report::parse(report("x@y.z", &format!("<{waits}@gatepost.test>"), "ok-2@example.com").as_bytes());
    let noted = rig
        .mailer
        .bounced(rig.mailer.claims(&claims, None))
        .await
        .unwrap();
    assert!(!noted[0].counted && rig.state(waits).await == "waiting");
    let nobody =
        Report::parse(report("x@y.z", &format!("<{}@gatepost.test>", Uuid::nil()), "a@b.co").as_bytes());
    let noted = rig
        .mailer
        .bounced(rig.mailer.claims(&nobody, None))
        .await
        .unwrap();
    assert_eq!(noted[0].id, None);
}

async fn a_complaint_stays_and_a_bounce_ends_by_itself(db: Database) {
    let rig = Rig::new(db).await;
    let mut sent = Vec::new();
    for to in ["ok-bounced", "ok-complained"] {
        let id = rig.enqueue(message(to)).await;
        rig.work().await;
        sent.push(id);
    }
    let bounce = report(
        "x@y.z",
        &format!("<{}@gatepost.test>", sent[0]),
        "ok-bounced@example.com",
    );
    let complaint = format!(
        "Content-Type: multipart/report; boundary=b\n\n--b\nContent-Type: message/feedback-report\n\nFeedback-Type: abuse\n\
         --b\nContent-Type: message/rfc822\n\nMessage-ID: <{}@gatepost.test>\n\n--b--\n",
        sent[1]
    );
    for text in [bounce, complaint] {
        let claims = rig.mailer.claims(&Report::parse(text.as_bytes()), None);
        assert!(rig.mailer.bounced(claims).await.unwrap()[0].suppressed, "{text}");
    }
    assert_eq!(
        rig.state(sent[1]).await,
        "sent",
        "a complaint is about a letter that arrived"
    );
    rig.store
        .run_tx("test", |tx| {
            Box::pin(async move {
                let until = tx.now() + Duration::from_hours(120);
                for hash in [crate::rig::sealer()].iter().flat_map(|s| {
                    [
                        s.address_hash(&address("ok-bounced")),
                        s.address_hash(&address("ok-complained")),
                    ]
                }) {
                    gatepost_storage::suppressions::clear_on_success(tx, &hash, until).await?;
                }
                Ok::<_, gatepost_storage::Error>(())
            })
        })
        .await
        .unwrap();
    let ends = rig
        .mailer
        .suppression(&address("ok-bounced"))
        .await
        .unwrap()
        .unwrap();
    assert!(ends.ends_at.is_some());
    rig.clock.advance(Duration::from_hours(121));
    assert_eq!(
        rig.mailer.suppression(&address("ok-bounced")).await.unwrap(),
        None
    );
    assert!(
        rig.mailer
            .suppression(&address("ok-complained"))
            .await
            .unwrap()
            .is_some()
    );
    let swept = rig
        .mailer
        .sweep(gatepost_storage::Timestamp::from_secs(0))
        .await
        .unwrap();
    assert_eq!(swept.suppressions, 1);
}

async fn a_paused_letter_waits_and_uses_up_nothing(db: Database) {
    let rig = Rig::new(db).await;
    assert!(rig.pause(Some("notification")).await);
    assert!(!rig.pause(Some("notification")).await);
    let id = rig.enqueue(message("ok")).await;
    for _ in 0..3 {
        rig.later(Duration::from_mins(10)).await;
    }
    let delivery = rig.delivery(id).await;
    assert_eq!(
        (delivery.state.as_str(), delivery.attempts, delivery.starts),
        ("waiting", 0, 0)
    );
    assert_eq!(
        rig.mailer.pauses().await.unwrap()[0].template.as_deref(),
        Some("notification")
    );
    // It goes at once, not when it would be looked at again.
    rig.resume(Some("notification")).await;
    rig.work().await;
    assert_eq!((rig.state(id).await.as_str(), rig.copies(id)), ("sent", 1));

    rig.pause(None).await;
    let id = rig.enqueue(message("ok")).await;
    let late = rig.enqueue(message("ok-late")).await;
    rig.work().await;
    assert_eq!(rig.state(late).await, "waiting");
    // The table itself keeps a letter back, also from a worker that has not heard of the pause.
    let lease = Uuid::from_u128(1);
    let started = rig
        .store
        .run_tx("test", move |tx| {
            let until = tx.now();
            Box::pin(async move { gatepost_storage::deliveries_many::start(tx, &[id], lease, until).await })
        })
        .await
        .unwrap();
    assert!(started.is_empty());
    rig.resume(None).await;
    rig.work().await;
    assert_eq!(rig.state(id).await, "sent");
}

async fn a_running_worker_obeys_a_pause(db: Database) {
    let rig = Rig::new(db).await;
    let stop = tokio_util::sync::CancellationToken::new();
    let running = tokio::spawn(rig.worker().run_until(stop.clone()));
    let first = rig.enqueue(message("ok-1")).await;
    rig.until(first, "sent").await;
    rig.pause(None).await;
    // The worker hears of it by a wake or within its own look; a letter asked for after that waits.
    tokio::time::sleep(Duration::from_secs(1)).await;
    let second = rig.enqueue(message("ok-2")).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(rig.state(second).await, "waiting");
    rig.resume(None).await;
    rig.until(second, "sent").await;
    stop.cancel();
    running.await.unwrap().unwrap();
    assert_eq!((rig.copies(first), rig.copies(second)), (1, 1));
}

async fn a_letter_is_taken_back_only_while_it_waits(db: Database) {
    let rig = Rig::new(db).await;
    let waits = rig.enqueue(message("ok")).await;
    let put_off = rig.enqueue(message("tmp")).await;
    let sent = rig.enqueue(message("ok-2")).await;
    rig.cancel(waits).await.unwrap();
    rig.work().await;
    rig.cancel(put_off).await.unwrap();
    let refused = rig.cancel(sent).await.unwrap_err();
    assert!(
        matches!(refused, MailError::Declined(Declined::TooLate(_))),
        "{refused}"
    );
    assert!(matches!(
        rig.cancel(Uuid::nil()).await,
        Err(MailError::Declined(Declined::NoSuchDelivery))
    ));
    rig.later(Duration::from_hours(8)).await;
    for id in [waits, put_off] {
        assert_eq!((rig.state(id).await.as_str(), rig.copies(id)), ("cancelled", 0));
    }
    assert_eq!(rig.queued().await, (0, 0), "what it said is gone");

    // In hand when it is taken back: the ledger keeps it from being sent.
    let held = rig.enqueue(message("ok-3")).await;
    rig.crash_at(FaultPoint::Claimed).await;
    rig.cancel(held).await.unwrap();
    rig.later(Duration::from_mins(1)).await;
    assert_eq!(
        (rig.state(held).await.as_str(), rig.copies(held)),
        ("cancelled", 0)
    );
    assert_eq!(rig.queued().await, (0, 0));
}

async fn a_letter_is_sent_again_once_while_its_content_is_there(db: Database) {
    let rig = Rig::new(db).await;
    let unknown = rig.enqueue(message("dropafterdot-1")).await;
    rig.work().await;
    assert!(matches!(
        rig.resend(unknown).await,
        Err(MailError::Declined(Declined::UnderWay(_)))
    ));
    rig.later(Duration::from_mins(2)).await;
    assert_eq!(rig.state(unknown).await, "unknown");

    let again = rig.resend(unknown).await.unwrap();
    assert_eq!(rig.queued().await, (1, 0), "it left the dead letters");
    rig.work().await;
    assert_eq!(
        (rig.copies(unknown), rig.copies(again)),
        (2, 1),
        "under a Message-ID of its own"
    );
    let shown = rig.show(unknown).await;
    assert_eq!(shown.delivery.resent_as, Some(again));
    assert!(rig.events(unknown).await.contains(&"resent".to_owned()));
    let refused = rig.resend(unknown).await.unwrap_err();
    assert!(
        matches!(&refused, MailError::Declined(Declined::AlreadyResent(id)) if *id == again),
        "{refused}"
    );

    let sent = rig.enqueue(message("ok")).await;
    rig.work().await;
    let refused = rig.resend(sent).await.unwrap_err();
    assert!(
        matches!(refused, MailError::Declined(Declined::Erased(_))),
        "{refused}"
    );
}

/// A copy of a letter that has ended, as a broker that repeats itself would deliver it.
async fn a_copy_that_comes_late_starts_nothing(db: Database) {
    let rig = Rig::new(db).await;
    for (to, state, dead) in [
        ("ok", "sent", 0),
        ("perm", "failed", 0),
        ("dropafterdot-9", "unknown", 1),
    ] {
        let id = rig.enqueue(message(to)).await;
        let copy = rig
            .store
            .read("test", move |tx| Box::pin(outbox::get(tx, id)))
            .await
            .unwrap()
            .unwrap();
        rig.work().await;
        rig.later(Duration::from_mins(2)).await;
        assert_eq!(rig.state(id).await, state);
        let copies = rig.copies(id);
        rig.store
            .run_tx("test", move |tx| {
                let copy = outbox::NewMessage {
                    id: copy.id,
                    queue: copy.queue.clone(),
                    kind: copy.kind.clone(),
                    headers: copy.headers.0.clone(),
                    content_type: copy.content_type.clone(),
                    body: copy.body.clone(),
                    priority: copy.priority,
                    enqueued_at: copy.enqueued_at,
                    visible_at: tx.now(),
                    expires_at: None,
                    dedupe_key: None,
                };
                Box::pin(async move { outbox::insert(tx, &copy).await })
            })
            .await
            .unwrap();
        rig.later(Duration::from_mins(2)).await;
        assert_eq!(
            (rig.state(id).await.as_str(), rig.copies(id)),
            (state, copies),
            "{to}"
        );
        assert!(rig.events(id).await.contains(&"copy_dropped".to_owned()));
        let kept = rig
            .store
            .read("test", move |tx| {
                Box::pin(dead_letters::get(tx, "gatepost.mail", id))
            })
            .await
            .unwrap();
        assert_eq!(usize::from(kept.is_some()), dead, "{to}");
    }
}

async fn the_ledger_counts_starts_dots_and_copies(db: Database) {
    let rig = Rig::new(db).await;
    let id = rig.enqueue(message("ok")).await;
    rig.crash_at(FaultPoint::SendingNoted).await;
    rig.clock.advance(Duration::from_secs(40));
    rig.crash_at(FaultPoint::Accepted).await;
    let delivery = rig.delivery(id).await;
    assert_eq!(
        (delivery.starts, delivery.dots, delivery.possible_copies),
        (2, 1, 1)
    );
    rig.later(Duration::from_secs(40)).await;
    rig.later(Duration::from_secs(40)).await;
    let shown = rig.show(id).await;
    let delivery = &shown.delivery;
    assert_eq!((delivery.state.as_str(), rig.copies(id)), ("sent", 2));
    assert_eq!(
        (delivery.starts, delivery.dots, delivery.possible_copies),
        (3, 2, 2)
    );
    let how: Vec<&str> = shown
        .timeline
        .iter()
        .filter(|event| event.event == "interrupted")
        .filter_map(|event| event.detail.as_deref())
        .collect();
    assert!(
        how.len() == 2 && how[0].starts_with("before") && how[1].starts_with("after"),
        "{how:?}"
    );
}

impl Rig {
    async fn pause(&self, template: Option<&'static str>) -> bool {
        let mailer = self.mailer.clone();
        let done = self.store.run_tx("test", move |tx| {
            let mailer = mailer.clone();
            Box::pin(async move { mailer.pause_in(tx, template, "cli", None).await })
        });
        done.await.unwrap()
    }

    async fn resume(&self, template: Option<&'static str>) {
        let mailer = self.mailer.clone();
        let ended = self.store.run_tx("test", move |tx| {
            let mailer = mailer.clone();
            Box::pin(async move { mailer.resume_in(tx, template).await })
        });
        assert_eq!(ended.await.unwrap(), 1);
        let left = self.store.read("test", |tx| Box::pin(mail_pauses::list(tx)));
        assert!(left.await.unwrap().is_empty());
    }

    async fn cancel(&self, id: Uuid) -> Result<(), MailError> {
        let mailer = self.mailer.clone();
        let done = self.store.run_tx("test", move |tx| {
            let mailer = mailer.clone();
            Box::pin(async move { mailer.cancel_in(tx, id, "cli").await })
        });
        done.await
    }

    pub(crate) async fn resend(&self, id: Uuid) -> Result<Uuid, MailError> {
        let mailer = self.mailer.clone();
        let done = self.store.run_tx("test", move |tx| {
            let mailer = mailer.clone();
            Box::pin(async move { mailer.resend_in(tx, id, &NoAccountLetters, "cli").await })
        });
        done.await
    }

    /// Waits until a letter that somebody else is sending is in this state.
    async fn until(&self, id: Uuid, state: &str) {
        for _ in 0..500 {
            if self.state(id).await == state {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("{id} is still {}", self.state(id).await);
    }
}
