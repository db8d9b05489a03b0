//! Migrations: once, in order, beside other programs' tables.

use gatepost_storage::{Error, MigrationError, MigrationState, Set};

use crate::databases::{Database, Stores as _, on_both};

on_both!(
    what_was_applied_is_not_applied_again,
    instances_that_start_together_apply_each_migration_once,
    a_set_that_was_not_asked_for_has_no_tables,
    a_migration_that_was_changed_afterwards_is_refused_by_name,
);

async fn what_was_applied_is_not_applied_again(db: Database) {
    let store = db.store().await;
    assert!(store.migrate(&Set::ALL).await.unwrap().is_empty());
    let status = store.migration_status(&Set::ALL).await.unwrap();
    assert!(!status.is_empty());
    assert!(
        status.iter().all(|m| m.state == MigrationState::Applied),
        "{status:?}"
    );
}

async fn instances_that_start_together_apply_each_migration_once(db: Database) {
    let options = || gatepost_storage::StoreOptions {
        schema: db.schema.clone(),
        ..Default::default()
    };
    let mut starts = tokio::task::JoinSet::new();
    for _ in 0..4 {
        let (url, options) = (db.url.clone(), options());
        starts.spawn(async move {
            let store = gatepost_storage::Store::open(&url, options).await.unwrap();
            store.migrate(&Set::ALL).await.unwrap().len()
        });
    }
    let applied: Vec<usize> = starts.join_all().await;
    assert_eq!(applied.iter().filter(|n| **n > 0).count(), 1, "{applied:?}");
}

async fn a_set_that_was_not_asked_for_has_no_tables(db: Database) {
    let options = gatepost_storage::StoreOptions {
        schema: db.schema.clone(),
        ..Default::default()
    };
    let store = gatepost_storage::Store::open(&db.url, options).await.unwrap();
    assert!(store.is_empty().await.unwrap());
    store.migrate(&[Set::Tokens]).await.unwrap();
    assert!(!store.is_empty().await.unwrap());
    let settings = store
        .read("look", |tx| {
            Box::pin(async move { gatepost_storage::settings::get(tx, "any").await })
        })
        .await;
    assert!(settings.is_err(), "the server's tables are there");
}

async fn a_migration_that_was_changed_afterwards_is_refused_by_name(db: Database) {
    let store = db.store().await;
    let forged = "UPDATE migrations SET checksum = 'other' WHERE set_name = 'server'";
    if db.url.starts_with("sqlite") {
        let pool = sqlx::SqlitePool::connect(&db.url).await.unwrap();
        let text = forged.replace("migrations", "gatepost_migrations");
        sqlx::raw_sql(sqlx::AssertSqlSafe(text))
            .execute(&pool)
            .await
            .unwrap();
    } else {
        let pool = sqlx::PgPool::connect(&db.url).await.unwrap();
        let text = forged.replace("migrations", &format!("{}.migrations", db.schema));
        sqlx::raw_sql(sqlx::AssertSqlSafe(text))
            .execute(&pool)
            .await
            .unwrap();
    }
    let refused = store.migrate(&Set::ALL).await;
    assert!(
        matches!(&refused, Err(Error::Migration(MigrationError::Changed(name))) if name.starts_with("server/0001")),
        "{refused:?}"
    );
}
