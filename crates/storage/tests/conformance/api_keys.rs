//! Keys of the service API.

use std::time::Duration;

use gatepost_storage::testing::ManualClock;
use gatepost_storage::{Store, Timestamp, api_keys};

use crate::databases::{Database, Stores as _, on_both};

on_both!(
    a_name_is_taken_until_its_key_is_revoked,
    use_is_noted_once_a_minute
);

async fn insert(store: &Store, name: &'static str, hash: [u8; 32]) -> Option<uuid::Uuid> {
    store
        .run_tx("insert", move |tx| {
            Box::pin(async move { api_keys::insert(tx, name, &hash, "users:read").await })
        })
        .await
        .unwrap()
}

async fn find(store: &Store, hash: [u8; 32]) -> Option<api_keys::ApiKeyRow> {
    store
        .read("find", move |tx| {
            Box::pin(async move { api_keys::find_living(tx, &hash).await })
        })
        .await
        .unwrap()
}

async fn a_name_is_taken_until_its_key_is_revoked(db: Database) {
    let store = db.store().await;
    let id = insert(&store, "shop", [1; 32]).await.expect("the name is free");
    assert_eq!(insert(&store, "shop", [2; 32]).await, None);
    let found = find(&store, [1; 32]).await.expect("it lives");
    assert_eq!(
        (found.id, found.name.as_str(), found.scopes.as_str()),
        (id, "shop", "users:read")
    );
    assert_eq!(find(&store, [2; 32]).await, None);

    let revoke = || {
        store.run_tx("revoke", |tx| {
            Box::pin(async move { api_keys::revoke(tx, "shop").await })
        })
    };
    assert!(revoke().await.unwrap());
    assert!(!revoke().await.unwrap(), "the second finds nothing to revoke");
    assert_eq!(find(&store, [1; 32]).await, None);
    assert!(
        insert(&store, "shop", [3; 32]).await.is_some(),
        "the name is free again"
    );
    let all = store
        .read("list", |tx| Box::pin(async move { api_keys::list(tx).await }))
        .await
        .unwrap();
    assert_eq!(
        all.iter().map(|k| k.revoked_at.is_some()).collect::<Vec<_>>(),
        [true, false]
    );
}

async fn use_is_noted_once_a_minute(db: Database) {
    let clock = ManualClock::at(Timestamp::from_secs(1_800_000_000));
    let store = db.store_with(clock.clock()).await;
    let id = insert(&store, "shop", [1; 32]).await.unwrap();
    let touch = || {
        store.run_tx("touch", move |tx| {
            Box::pin(async move {
                let since = tx.now() - Duration::from_secs(60);
                api_keys::touch(tx, id, since).await
            })
        })
    };
    assert!(touch().await.unwrap());
    clock.advance(Duration::from_secs(59));
    assert!(!touch().await.unwrap());
    clock.advance(Duration::from_secs(1));
    assert!(touch().await.unwrap());
    assert_eq!(
        find(&store, [1; 32]).await.unwrap().last_used_at,
        Some(store.now())
    );
}
