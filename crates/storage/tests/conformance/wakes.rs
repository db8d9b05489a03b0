//! Wake-ups: after the commit, here and in other processes, never after a rollback.

use std::time::Duration;

use gatepost_storage::{Dialect, Error};

use crate::databases::{Database, Stores as _, on_both};

on_both!(
    a_commit_wakes_here,
    a_rollback_wakes_nobody,
    a_commit_wakes_another_instance
);

async fn a_commit_wakes_here(db: Database) {
    let store = db.store().await;
    let mut wakeups = store.subscribe("here");
    store
        .run_tx("wake", |tx| {
            tx.wake("here");
            Box::pin(async move { Ok::<_, Error>(()) })
        })
        .await
        .unwrap();
    tokio::time::timeout(Duration::from_secs(5), wakeups.wait())
        .await
        .expect("woken");
}

async fn a_rollback_wakes_nobody(db: Database) {
    let store = db.store().await;
    let mut wakeups = store.subscribe("nobody");
    if store.dialect() == Dialect::Postgres {
        // Once connected, the listener wakes everybody for what was told before it listened.
        wakeups.wait().await;
    }
    let failed = store
        .run_tx("wake", |tx| {
            tx.wake("nobody");
            Box::pin(async move { Err::<(), _>(Error::Closed) })
        })
        .await;
    assert!(failed.is_err());
    // A commit of another topic comes after it, so that an early wake of this one would have been seen.
    let mut fence = store.subscribe("fence");
    store.wake("fence");
    fence.wait().await;
    assert!(futures_util::FutureExt::now_or_never(wakeups.wait()).is_none());
}

async fn a_commit_wakes_another_instance(db: Database) {
    let (one, other) = (db.store().await, db.store().await);
    let mut wakeups = other.subscribe("far");
    // What this instance has to do before it hears: its writer looks, or its listener connects.
    other
        .run_tx("start", |_| Box::pin(async move { Ok::<_, Error>(()) }))
        .await
        .unwrap();
    let woken = async {
        loop {
            one.run_tx("wake", |tx| {
                Box::pin(async move {
                    gatepost_storage::settings::put(tx, "any", "row").await?;
                    tx.wake("far");
                    Ok::<_, Error>(())
                })
            })
            .await
            .unwrap();
            if tokio::time::timeout(Duration::from_millis(300), wakeups.wait())
                .await
                .is_ok()
            {
                return;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(10), woken)
        .await
        .expect("woken from the other instance");
}
