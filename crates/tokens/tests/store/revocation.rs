//! Revoked means now: on every instance, by generation and not by the clock, and closed when nobody can tell.

use std::sync::Arc;
use std::time::{Duration, Instant};

use gatepost_storage::Timestamp;
use gatepost_tokens::{
    Access, Activate, ChangePassword, EndReason, NewSession, NewToken, Refused, Rotation, ServiceError,
    Socket,
};
use tokio::sync::Notify;
use tokio::task::JoinSet;

use crate::databases::{Database, Instance, Instances as _, NOON, on_both};

on_both!(
    a_revoked_user_is_out_everywhere_and_what_is_minted_after_is_good,
    logout_ends_one_session_on_both_instances_within_a_second,
    one_access_token_can_be_revoked,
    while_the_view_is_fresh_no_check_asks_the_database,
    all_who_wait_share_one_reading,
    who_can_not_find_out_lets_nobody_in,
    a_socket_ticket_dies_with_its_session,
    logging_out_everywhere_spares_other_users_and_other_purposes,
    news_are_told_to_who_holds_something_open,
);

pub(crate) async fn refused_soon(at: &Instance, access: &str) {
    let began = Instant::now();
    while at.service.check_access(access).await.err() != Some(Refused::Revoked) {
        assert!(
            began.elapsed() < Duration::from_secs(1),
            "still let in after a second"
        );
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// `user revoke` at 12:00:00.5: tokens minted at .2 dead, at .7 good, with the two instances' clocks 2 s apart.
async fn a_revoked_user_is_out_everywhere_and_what_is_minted_after_is_good(db: Database) {
    for (one, two) in [(0, 2_000_000), (2_000_000, 0)] {
        let (a, b) = (db.instance().await, db.instance().await);
        let at = |micros: i64| {
            a.clock
                .set(Timestamp::from_micros(NOON.as_micros() + one + micros));
            b.clock
                .set(Timestamp::from_micros(NOON.as_micros() + two + micros));
        };
        let user = format!("user-{one}");
        at(200_000);
        let before = [a.login(&user).await, b.login(&user).await];
        let link = a.service.create::<Activate>(&user).await.unwrap().raw;
        at(500_000);
        assert_eq!(b.revoke_all(&user).await, 2);
        at(700_000);
        let after = [a.login(&user).await, b.login(&user).await];
        let new_link = b.service.create::<Activate>(&user).await.unwrap().raw;

        for instance in [&a, &b] {
            for grant in &before {
                refused_soon(instance, &grant.access).await;
                assert_eq!(
                    instance.rotate(&grant.refresh).await,
                    Rotation::Refused(Refused::Revoked)
                );
            }
            for grant in &after {
                assert!(instance.service.check_access(&grant.access).await.is_ok());
            }
            assert_eq!(
                instance.service.peek::<Activate>(&link).await.unwrap_err(),
                Refused::Revoked
            );
            assert!(instance.service.peek::<Activate>(&new_link).await.is_ok());
        }
        assert!(matches!(b.rotate(&after[0].refresh).await, Rotation::Granted(_)));
    }
}

async fn logout_ends_one_session_on_both_instances_within_a_second(db: Database) {
    let (a, b) = (db.instance().await, db.instance().await);
    let (gone, stays) = (a.login("u").await, a.login("u").await);
    assert!(b.service.check_access(&gone.access).await.is_ok());
    assert!(a.logout(&gone).await);
    assert!(!b.logout(&gone).await, "it ends once");
    assert_eq!(
        a.service.check_access(&gone.access).await.unwrap_err(),
        Refused::Revoked,
        "here at once"
    );
    refused_soon(&b, &gone.access).await;
    assert_eq!(b.rotate(&gone.refresh).await, Rotation::Refused(Refused::Revoked));
    assert!(b.service.check_access(&stays.access).await.is_ok());
}

async fn one_access_token_can_be_revoked(db: Database) {
    let at = db.instance().await;
    let grant = at.login("u").await;
    let other = at.service.create::<Access>("u").await.unwrap().raw;
    let (service, raw) = (at.service.clone(), grant.access.clone());
    let revoked: Result<bool, ServiceError> = at
        .store
        .run_tx("revoke", move |tx| {
            let (service, raw) = (service.clone(), raw.clone());
            Box::pin(async move { service.revoke_token_in(tx, &raw).await })
        })
        .await;
    assert!(revoked.unwrap());
    assert_eq!(
        at.service.check_access(&grant.access).await.unwrap_err(),
        Refused::Revoked
    );
    assert_eq!(
        at.service.validate_any(&grant.access).await.unwrap_err(),
        Refused::Revoked
    );
    assert!(at.service.check_access(&other).await.is_ok());
    assert!(
        matches!(at.rotate(&grant.refresh).await, Rotation::Granted(_)),
        "its session goes on"
    );
}

async fn while_the_view_is_fresh_no_check_asks_the_database(db: Database) {
    let at = db.instance().await;
    let grant = at.login("u").await;
    let grant = at.granted(&grant.refresh).await;
    at.service.check_access(&grant.access).await.unwrap();
    let before = at.store.stats().statements;
    for _ in 0..200 {
        at.service.check_access(&grant.access).await.unwrap();
    }
    // Hearing of other instances for the first time, or a second that passed, is worth a reading: of the log, and of
    // whether there are other keys.
    let asked = at.store.stats().statements - before;
    assert!(asked <= 6, "{asked} statements for 200 checks");
}

async fn all_who_wait_share_one_reading(db: Database) {
    let at = db.instance().await;
    let access = Arc::new(at.login("u").await.access);
    let before = at.store.stats().statements;
    let mut waiting = JoinSet::new();
    for _ in 0..200 {
        let (service, access) = (at.service.clone(), Arc::clone(&access));
        waiting.spawn(async move { service.check_access(&access).await.unwrap() });
    }
    waiting.join_all().await;
    let asked = at.store.stats().statements - before;
    // Each reading is of the log and of the keys. There are two, and one more if the database tells of the login only now.
    assert!(
        asked <= 6,
        "{asked} statements for 200 checks of an instance that had read nothing"
    );
}

async fn who_can_not_find_out_lets_nobody_in(db: Database) {
    let at = db.instance().await;
    let grant = at.login("u").await;
    at.service.check_access(&grant.access).await.unwrap();
    at.store.close().await;
    let began = Instant::now();
    let refused = loop {
        match at.service.check_access(&grant.access).await {
            Ok(_) => assert!(
                began.elapsed() < Duration::from_secs(1),
                "let in on news more than a second old"
            ),
            Err(refused) => break refused,
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    assert!(
        refused.is_transient() && std::error::Error::source(&refused).is_some(),
        "{refused:?}"
    );
}

async fn a_socket_ticket_dies_with_its_session(db: Database) {
    let at = db.instance().await;
    let grant = at.login("u").await;
    let ticket = || NewToken::new("u").session(grant.sid.to_string(), 0);
    let make = |new: NewToken| {
        let service = at.service.clone();
        at.store
            .run_tx("ticket", move |tx: &mut gatepost_storage::Tx<'_>| {
                let (service, new) = (service.clone(), new.clone());
                Box::pin(async move { service.create_in::<Socket>(tx, new).await })
            })
    };
    let raw = make(ticket()).await.unwrap().raw;
    assert!(at.service.peek::<Socket>(&raw).await.is_ok());
    assert!(at.logout(&grant).await);
    assert_eq!(
        at.service.peek::<Socket>(&raw).await.unwrap_err(),
        Refused::Revoked
    );
    let too_long = make(ticket().lifetime(Duration::from_hours(1))).await;
    assert!(too_long.is_err(), "news of a revocation are not kept that long");
}

async fn logging_out_everywhere_spares_other_users_and_other_purposes(db: Database) {
    let at = db.instance().await;
    let (mine, other) = (at.login("me").await, at.login("other").await);
    let reset = at.service.create::<ChangePassword>("me").await.unwrap().raw;
    let service = at.service.clone();
    let ended: Result<u64, ServiceError> = at
        .store
        .run_tx("everywhere", move |tx| {
            let service = service.clone();
            Box::pin(async move { service.end_all_sessions_in(tx, "me", EndReason::Logout).await })
        })
        .await;
    assert_eq!(ended.unwrap(), 1);
    assert_eq!(
        at.service.check_access(&mine.access).await.unwrap_err(),
        Refused::Revoked
    );
    assert!(at.service.check_access(&other.access).await.is_ok());
    assert!(at.service.peek::<ChangePassword>(&reset).await.is_ok());
    assert!(at.service.sessions("me").await.unwrap().is_empty());
}

async fn news_are_told_to_who_holds_something_open(db: Database) {
    let (a, b) = (db.instance().await, db.instance().await);
    let grant = a.login("u").await;
    let claims = b.service.check_access(&grant.access).await.unwrap().claims;
    let stop = Arc::new(Notify::new());
    let (revocations, stopped) = (b.service.revocations().clone(), Arc::clone(&stop));
    let poller = tokio::spawn(async move { revocations.run_until(stopped.notified()).await });
    let mut news = b.service.revocations().subscribe();
    assert!(!b.service.revocations().is_revoked(&claims));
    a.revoke_all("u").await;
    tokio::time::timeout(Duration::from_secs(1), async {
        while !b.service.revocations().is_revoked(&claims) {
            news.changed().await.unwrap();
        }
    })
    .await
    .expect("told within a second");
    assert!(b.service.revocations().age() < Duration::from_secs(1));
    stop.notify_one();
    poller.await.unwrap();
}

/// On PostgreSQL ids are given out before the commit: a reader that went by the last id would step over the first.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_revocation_that_commits_late_is_seen() {
    let db = Database::postgres();
    let (writer, reader) = (db.instance().await, db.instance().await);
    let (late, early) = (writer.login("late").await, writer.login("early").await);
    let (go, written) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (service, wait, tell) = (writer.service.clone(), Arc::clone(&go), Arc::clone(&written));
    let store = writer.store.clone();
    let slow = tokio::spawn(async move {
        let done: Result<u64, ServiceError> = store
            .run_tx("slow", move |tx| {
                let (service, wait, tell) = (service.clone(), Arc::clone(&wait), Arc::clone(&tell));
                Box::pin(async move {
                    let ended = service.revoke_all_in(tx, "late").await?;
                    tell.notify_one();
                    wait.notified().await;
                    Ok(ended)
                })
            })
            .await;
        done.unwrap()
    });
    written.notified().await;
    writer.revoke_all("early").await;
    refused_soon(&reader, &early.access).await;
    assert!(
        reader.service.check_access(&late.access).await.is_ok(),
        "not committed yet"
    );
    go.notify_one();
    assert_eq!(slow.await.unwrap(), 1);
    refused_soon(&reader, &late.access).await;
}

/// A session that began while its user was being revoked: its tokens carry the old generation.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_begun_during_a_revocation_is_dead() {
    let db = Database::postgres();
    let at = db.instance().await;
    let (go, begun) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (service, wait, tell, store) = (
        at.service.clone(),
        Arc::clone(&go),
        Arc::clone(&begun),
        at.store.clone(),
    );
    let login = tokio::spawn(async move {
        let grant: Result<_, ServiceError> = store
            .run_tx("slow login", move |tx| {
                let (service, wait, tell) = (service.clone(), Arc::clone(&wait), Arc::clone(&tell));
                Box::pin(async move {
                    let grant = service.start_session_in(tx, "u", NewSession::default()).await?;
                    tell.notify_one();
                    wait.notified().await;
                    Ok(grant)
                })
            })
            .await;
        grant.unwrap()
    });
    begun.notified().await;
    at.revoke_all("u").await;
    go.notify_one();
    let grant = login.await.unwrap();
    assert_eq!(
        at.service.check_access(&grant.access).await.unwrap_err(),
        Refused::Revoked
    );
    assert_eq!(
        at.rotate(&grant.refresh).await,
        Rotation::Refused(Refused::Revoked)
    );
    assert!(at.service.sessions("u").await.unwrap().is_empty());
}
