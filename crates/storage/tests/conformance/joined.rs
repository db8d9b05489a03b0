//! The caller's own pool and transaction.

use gatepost_storage::{Set, Store, settings};
use sqlx::{PgPool, SqlitePool};

use crate::databases::{Database, Stores as _};

#[tokio::test]
async fn in_the_callers_postgres_transaction_ours_commits_and_rolls_back_with_it() {
    let db = Database::postgres();
    let pool = PgPool::connect(&db.url).await.unwrap();
    let store = Store::postgres(pool.clone()).with_schema(&db.schema).unwrap();
    store.migrate(&[Set::Server]).await.unwrap();

    let mut tx = pool.begin().await.unwrap();
    assert!(
        settings::put_if_absent(&mut store.join(&mut *tx).unwrap(), "k", "v")
            .await
            .unwrap()
    );
    tx.rollback().await.unwrap();
    let found = |store: Store| async move {
        store
            .read("look", |tx| Box::pin(async move { settings::get(tx, "k").await }))
            .await
            .unwrap()
    };
    assert_eq!(found(store.clone()).await, None);

    let mut tx = pool.begin().await.unwrap();
    assert!(
        settings::put_if_absent(&mut store.join(&mut *tx).unwrap(), "k", "v")
            .await
            .unwrap()
    );
    tx.commit().await.unwrap();
    assert_eq!(found(store).await.as_deref(), Some("v"));
}

#[tokio::test]
async fn in_the_callers_sqlite_transaction_too() {
    let db = Database::sqlite();
    let pool = SqlitePool::connect(&format!("{}?mode=rwc", db.url))
        .await
        .unwrap();
    let store = Store::sqlite(pool.clone());
    store.migrate(&[Set::Server]).await.unwrap();

    let mut tx = pool.begin().await.unwrap();
    settings::put(&mut store.join(&mut *tx).unwrap(), "k", "v")
        .await
        .unwrap();
    tx.rollback().await.unwrap();
    let mut tx = pool.begin().await.unwrap();
    assert_eq!(
        settings::get(&mut store.join(&mut *tx).unwrap(), "k")
            .await
            .unwrap(),
        None
    );
    settings::put(&mut store.join(&mut *tx).unwrap(), "k", "v")
        .await
        .unwrap();
    tx.commit().await.unwrap();
    let found = store
        .read("look", |tx| Box::pin(async move { settings::get(tx, "k").await }))
        .await;
    assert_eq!(found.unwrap().as_deref(), Some("v"));
}

#[tokio::test]
async fn a_connection_of_the_other_database_is_refused() {
    let sqlite = Database::sqlite().store().await;
    let pool = PgPool::connect(&Database::postgres().url).await.unwrap();
    let mut conn = pool.acquire().await.unwrap();
    assert!(sqlite.join(&mut *conn).is_err());
}

#[tokio::test]
async fn what_woke_in_a_joined_transaction_is_heard_after_its_commit() {
    let db = Database::postgres();
    let pool = PgPool::connect(&db.url).await.unwrap();
    let store = Store::postgres(pool.clone()).with_schema(&db.schema).unwrap();
    store.migrate(&[Set::Server]).await.unwrap();
    let mut wakeups = store.subscribe("letters");
    let mut tx = pool.begin().await.unwrap();
    store.join(&mut *tx).unwrap().wake("letters");
    tx.commit().await.unwrap();
    tokio::time::timeout(std::time::Duration::from_secs(5), wakeups.wait())
        .await
        .expect("woken");
}

#[cfg(unix)]
#[tokio::test]
async fn the_file_and_what_lies_beside_it_are_their_owners_alone() {
    use std::os::unix::fs::PermissionsExt;
    let db = Database::sqlite();
    let store = db.store().await;
    store
        .run_tx("any", |tx| {
            Box::pin(async move { settings::put(tx, "k", "v").await })
        })
        .await
        .unwrap();
    let folder = std::path::Path::new(db.url.trim_start_matches("sqlite://"))
        .parent()
        .unwrap();
    for file in std::fs::read_dir(folder).unwrap() {
        let file = file.unwrap();
        let mode = file.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{}", file.path().display());
    }
}
