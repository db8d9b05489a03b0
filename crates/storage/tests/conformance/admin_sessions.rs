//! Sessions of the console.

use std::time::Duration;

use gatepost_storage::testing::ManualClock;
use gatepost_storage::{Store, Timestamp, admin_sessions, admins, new_id};
use uuid::Uuid;

use crate::databases::{Database, Stores as _, on_both};

on_both!(a_session_dies_by_time_by_logout_and_with_its_password);

const COOKIE: [u8; 32] = [7; 32];

async fn open(store: &Store, admin: Uuid) -> bool {
    store
        .run_tx("open", move |tx| {
            Box::pin(async move {
                let admin = admins::by_id(tx, admin).await?.unwrap();
                let until = tx.now() + Duration::from_secs(3600);
                admin_sessions::insert(tx, &COOKIE, &admin, until).await
            })
        })
        .await
        .unwrap()
}

async fn whose(store: &Store) -> Option<Uuid> {
    let found = store.read("find", |tx| {
        Box::pin(async move { admin_sessions::find_living(tx, &COOKIE).await })
    });
    found.await.unwrap().map(|admin| admin.id)
}

async fn password(store: &Store, admin: Uuid, hash: &'static str) {
    let set = store.run_tx("set", move |tx| {
        Box::pin(async move { admins::set_password(tx, admin, hash).await })
    });
    assert!(set.await.unwrap());
}

async fn a_session_dies_by_time_by_logout_and_with_its_password(db: Database) {
    let clock = ManualClock::at(Timestamp::from_secs(1_800_000_000));
    let store = db.store_with(clock.clock()).await;
    let admin = new_id(store.now());
    store
        .run_tx("insert", move |tx| {
            Box::pin(async move { admins::insert(tx, admin, "a@b.example", "a@b.example").await })
        })
        .await
        .unwrap();
    assert!(
        !open(&store, admin).await,
        "nobody is logged in without a password"
    );

    password(&store, admin, "first").await;
    assert!(open(&store, admin).await);
    assert_eq!(whose(&store).await, Some(admin));
    password(&store, admin, "second").await;
    assert_eq!(whose(&store).await, None);

    let delete = || {
        store.run_tx("delete", |tx| {
            Box::pin(async move { admin_sessions::delete(tx, &COOKIE).await })
        })
    };
    assert!(delete().await.unwrap());
    assert!(!delete().await.unwrap());
    assert!(open(&store, admin).await);
    clock.advance(Duration::from_secs(3599));
    assert_eq!(whose(&store).await, Some(admin));
    clock.advance(Duration::from_secs(1));
    assert_eq!(whose(&store).await, None);
    let sweep = store.run_tx("sweep", |tx| {
        Box::pin(async move {
            let now = tx.now();
            admin_sessions::sweep(tx, now).await
        })
    });
    assert_eq!(sweep.await.unwrap(), 1);
}
