//! Asking for letters: in the caller's transaction, once per key, refused when they cannot be sent.

use std::time::Duration;

use gatepost_mail::letter::Notification;
use gatepost_mail::wire::MailRequest;
use gatepost_mail::{Idempotency, ListFilter, MailError};
use gatepost_storage::delivery_events;
use serde_json::json;
use sqlx::Connection;

use crate::databases::{Database, on_both};
use crate::rig::{Rig, address, message};

on_both!(
    it_exists_if_and_only_if_the_transaction_does,
    a_transaction_of_the_users_own,
    one_key_one_letter,
    what_cannot_be_sent_is_refused_at_once,
    lists_and_sweeps,
    a_newsletter_waits_on_a_queue_of_its_own,
);

async fn it_exists_if_and_only_if_the_transaction_does(db: Database) {
    let rig = Rig::new(db).await;
    let mailer = rig.mailer.clone();
    let rolled_back: Result<(), MailError> = rig
        .store
        .run_tx("test", move |tx| {
            let mailer = mailer.clone();
            Box::pin(async move {
                mailer.enqueue_request(tx, &message("ok"), None).await?;
                Err(MailError::Expired)
            })
        })
        .await;
    assert!(rolled_back.is_err());
    rig.work().await;
    assert!(
        rig.sink.received().is_empty() && rig.mailer.list(&ListFilter::default()).await.unwrap().is_empty()
    );
}

async fn a_transaction_of_the_users_own(db: Database) {
    let rig = Rig::new(db).await;
    for commit in [false, true] {
        let letter = Notification {
            title: "T".into(),
            message: "M".into(),
        };
        if rig.db.url.starts_with("postgres") {
            let mut conn = sqlx::PgConnection::connect(&rig.db.url).await.unwrap();
            let mut tx = conn.begin().await.unwrap();
            rig.mailer
                .enqueue(&mut *tx, &address("ok"), "uk", &letter)
                .await
                .unwrap();
            if commit {
                tx.commit().await.unwrap();
            } else {
                tx.rollback().await.unwrap();
            }
        } else {
            let mut conn = sqlx::SqliteConnection::connect(&rig.db.url).await.unwrap();
            let mut tx = conn.begin().await.unwrap();
            rig.mailer
                .enqueue(&mut *tx, &address("ok"), "uk", &letter)
                .await
                .unwrap();
            if commit {
                tx.commit().await.unwrap();
            } else {
                tx.rollback().await.unwrap();
            }
        }
        rig.work().await;
        assert_eq!(rig.sink.received().len(), usize::from(commit));
    }
}

async fn one_key_one_letter(db: Database) {
    let rig = Rig::new(db).await;
    let key = |scope: &str| {
        Some(Idempotency {
            scope: scope.into(),
            key: "k".into(),
        })
    };
    let rounds = (0..16).map(|_| rig.try_enqueue(message("ok"), key("app")));
    let taken = futures_util::future::join_all(rounds).await;
    let taken: Vec<_> = taken.into_iter().map(Result::unwrap).collect();
    assert_eq!(taken.iter().filter(|enqueued| !enqueued.repeated).count(), 1);
    assert!(taken.iter().all(|enqueued| enqueued.id == taken[0].id));

    let other = rig.try_enqueue(message("other"), key("app")).await;
    assert!(matches!(other, Err(MailError::IdempotencyConflict)));
    assert!(
        !rig.try_enqueue(message("ok"), key("another app"))
            .await
            .unwrap()
            .repeated
    );
    rig.clock.advance(Duration::from_hours(25));
    assert!(
        !rig.try_enqueue(message("other"), key("app"))
            .await
            .unwrap()
            .repeated
    );
    rig.work().await;
    assert_eq!(rig.sink.received().len(), 3);
}

async fn what_cannot_be_sent_is_refused_at_once(db: Database) {
    let rig = Rig::new(db).await;
    let refused = |body: serde_json::Value| {
        let request = MailRequest::from_value(&body).unwrap();
        let rig = &rig;
        async move { rig.try_enqueue(request, None).await.unwrap_err() }
    };
    let to = address("ok");
    let own_link =
        json!({"to_email": to, "template": "reset_password", "data": {"link": "https://evil.test"}});
    assert!(matches!(refused(own_link).await, MailError::ReservedTemplate(_)));
    let unknown = refused(json!({"to_email": to, "template": "nobody_has_it"})).await;
    assert!(unknown.is_the_callers(), "{unknown}");
    let missing = refused(json!({"to_email": to, "template": "notification", "data": {"title": "T"}})).await;
    assert!(missing.is_the_callers(), "{missing}");
    let late =
        json!({"to_email": to, "template_data": {"message": "M"}, "expires_at": "2020-01-01T00:00:00Z"});
    assert!(matches!(refused(late).await, MailError::Expired));
    assert_eq!(rig.queued().await, (0, 0));
}

async fn lists_and_sweeps(db: Database) {
    let rig = Rig::new(db).await;
    let sent = rig.enqueue(message("ok")).await;
    rig.work().await;
    rig.clock.advance(Duration::from_secs(1));
    let refused = rig.enqueue(message("perm")).await;
    rig.work().await;
    rig.clock.advance(Duration::from_secs(1));
    let waiting = rig.enqueue(message("ok")).await;
    let ids = async |filter: ListFilter| {
        let list = rig.mailer.list(&filter).await.unwrap();
        list.into_iter().map(|delivery| delivery.id).collect::<Vec<_>>()
    };
    assert_eq!(ids(ListFilter::default()).await, [waiting, refused, sent]);
    assert_eq!(
        ids(ListFilter {
            limit: 1,
            after: Some(waiting),
            ..Default::default()
        })
        .await,
        [refused]
    );
    assert_eq!(
        ids(ListFilter {
            state: Some("failed".into()),
            ..Default::default()
        })
        .await,
        [refused]
    );
    assert_eq!(
        ids(ListFilter {
            to: Some(address("OK")),
            ..Default::default()
        })
        .await,
        [waiting, sent]
    );
    assert!(
        ids(ListFilter {
            template: Some("welcome".into()),
            ..Default::default()
        })
        .await
        .is_empty()
    );

    let swept = rig
        .mailer
        .sweep(rig.store.now() + Duration::from_hours(1))
        .await
        .unwrap();
    assert_eq!(swept.deliveries, 2);
    assert_eq!(
        ids(ListFilter::default()).await,
        [waiting],
        "what waits is never swept"
    );
    for (letter, is_kept) in [(sent, false), (refused, false), (waiting, true)] {
        let timeline = rig
            .store
            .read("timeline", move |tx| Box::pin(delivery_events::of(tx, letter)));
        let timeline: Result<_, gatepost_storage::Error> = timeline.await;
        assert_eq!(
            !timeline.unwrap().is_empty(),
            is_kept,
            "timelines go with their letters"
        );
    }
}

async fn a_newsletter_waits_on_a_queue_of_its_own(db: Database) {
    let rig = Rig::new(db).await;
    let request = MailRequest::from_value(&json!({
        "to_email": "ok@example.com", "template_data": {"message": "m"},
        "headers": {"List-Unsubscribe": "<https://example.com/off>"}}))
    .unwrap();
    let id = rig.enqueue(request).await;
    let row = rig
        .store
        .read("row", move |tx| Box::pin(gatepost_storage::outbox::get(tx, id)));
    assert_eq!(row.await.unwrap().unwrap().queue, "gatepost.mail.bulk");
    rig.work().await;
    assert_eq!((rig.state(id).await.as_str(), rig.copies(id)), ("sent", 1));
}
