//! Administrators and their links: one winner, and a link that a failure leaves usable.

use std::time::Duration;

use gatepost_storage::{Error, admins, new_id};

use crate::databases::{Database, Stores as _, on_both};

on_both!(
    of_sixteen_who_use_a_link_one_wins,
    a_link_that_is_over_is_none,
    an_address_is_an_administrators_once,
);

async fn of_sixteen_who_use_a_link_one_wins(db: Database) {
    let store = db.store().await;
    let in_a_minute = store.now() + Duration::from_mins(1);
    store
        .run_tx("add", move |tx| {
            Box::pin(async move { admins::add_link(tx, b"hash", None, in_a_minute).await })
        })
        .await
        .unwrap();
    let rolled_back: Result<(), Error> = store
        .run_tx("give up", |tx| {
            Box::pin(async move {
                assert!(admins::take_link(tx, b"hash").await?);
                Err(Error::Closed)
            })
        })
        .await;
    assert!(rolled_back.is_err());
    let mut callers = tokio::task::JoinSet::new();
    for _ in 0..16 {
        let store = store.clone();
        callers.spawn(async move {
            store
                .run_tx("take", |tx| {
                    Box::pin(async move { admins::take_link(tx, b"hash").await })
                })
                .await
                .unwrap()
        });
    }
    let won: Vec<bool> = callers.join_all().await;
    assert_eq!(won.iter().filter(|won| **won).count(), 1);
}

async fn a_link_that_is_over_is_none(db: Database) {
    let store = db.store().await;
    let now = store.now();
    store
        .run_tx("add", move |tx| {
            Box::pin(async move {
                admins::add_link(tx, b"over", None, now).await?;
                assert!(admins::peek_link(tx, b"over").await?.is_none());
                assert!(!admins::take_link(tx, b"over").await?);
                Ok::<_, Error>(())
            })
        })
        .await
        .unwrap();
}

async fn an_address_is_an_administrators_once(db: Database) {
    let store = db.store().await;
    let now = store.now();
    store
        .run_tx("add", move |tx| {
            Box::pin(async move {
                let id = new_id(now);
                assert!(admins::insert(tx, id, "Ann@example.com", "ann@example.com").await?);
                assert!(!admins::insert(tx, new_id(now), "ann@example.com", "ann@example.com").await?);
                assert_eq!(admins::count_set_up(tx).await?, 0);
                assert!(admins::set_password(tx, id, "hash").await?);
                assert_eq!(admins::count_set_up(tx).await?, 1);
                let found = admins::by_canonical(tx, "ann@example.com").await?.unwrap();
                assert_eq!((found.id, found.email.as_str()), (id, "Ann@example.com"));
                assert!(admins::clear_password(tx, id).await?);
                assert_eq!(admins::list(tx).await?.len(), 1);
                Ok::<_, Error>(())
            })
        })
        .await
        .unwrap();
}
