//! `run_tx`: all or nothing, one winner, shared commits that stay apart.

use gatepost_storage::blacklist::{self, Used};
use gatepost_storage::{Error, Store, generations, settings};

use crate::databases::{Database, Stores as _, on_both};

on_both!(
    a_failed_transaction_leaves_nothing,
    of_many_that_write_one_key_one_wins,
    of_many_that_use_one_token_one_wins_without_a_transaction,
    neighbours_in_a_shared_commit_do_not_share_their_failures,
    a_panic_is_an_error_and_the_store_goes_on,
    what_is_done_is_counted_by_name,
    a_caller_that_leaves_cuts_nothing_in_two,
);

#[derive(Debug)]
enum Failure {
    Store(#[allow(dead_code, reason = "shown when a test fails")] Error),
    Changed,
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Failure::Store(error)
    }
}

async fn a_failed_transaction_leaves_nothing(db: Database) {
    let store = db.store().await;
    let result: Result<(), Failure> = store
        .run_tx("change_of_mind", |tx| {
            Box::pin(async move {
                settings::put(tx, "half", "done").await?;
                Err(Failure::Changed)
            })
        })
        .await;
    assert!(matches!(result, Err(Failure::Changed)));
    let found = store
        .read("look", |tx| {
            Box::pin(async move { settings::get(tx, "half").await })
        })
        .await;
    assert_eq!(found.unwrap(), None);
}

async fn of_many_that_write_one_key_one_wins(db: Database) {
    let store = db.store().await;
    let mut racers = tokio::task::JoinSet::new();
    for n in 0..64 {
        let store = store.clone();
        racers.spawn(async move {
            store
                .run_tx("race", move |tx| {
                    Box::pin(async move { settings::put_if_absent(tx, "winner", &n.to_string()).await })
                })
                .await
                .unwrap()
        });
    }
    let winners = racers.join_all().await.into_iter().filter(|won| *won).count();
    assert_eq!(winners, 1);
}

async fn of_many_that_use_one_token_one_wins_without_a_transaction(db: Database) {
    let store = db.store().await;
    let use_it = |store: Store, generation| async move {
        store
            .run_one("race", move |tx| {
                Box::pin(async move {
                    let token = blacklist::Use {
                        jti: "one",
                        expires_at: tx.now(),
                        subject: "anna",
                        class: "mail",
                        generation,
                    };
                    blacklist::use_up(tx, &token).await
                })
            })
            .await
            .unwrap()
    };
    store
        .run_tx("raise", |tx| {
            Box::pin(async move { generations::raise(tx, "anna", "mail", 5).await })
        })
        .await
        .unwrap();
    assert_eq!(use_it(store.clone(), 4).await, Used::Outdated);
    let mut racers = tokio::task::JoinSet::new();
    for _ in 0..64 {
        racers.spawn(use_it(store.clone(), 5));
    }
    let (winners, dead): (Vec<_>, Vec<_>) = racers
        .join_all()
        .await
        .into_iter()
        .partition(|used| *used == Used::Won);
    assert_eq!(winners.len(), 1);
    assert!(dead.iter().all(|used| *used == Used::Dead), "{dead:?}");
    assert_eq!(
        use_it(store.clone(), 4).await,
        Used::Outdated,
        "also of one that was used"
    );
}

async fn neighbours_in_a_shared_commit_do_not_share_their_failures(db: Database) {
    let store = db.store().await;
    let mut calls = tokio::task::JoinSet::new();
    for n in 0..40_u32 {
        let store = store.clone();
        calls.spawn(async move {
            let result: Result<(), Failure> = store
                .run_tx("neighbours", move |tx| {
                    Box::pin(async move {
                        settings::put(tx, &format!("key-{n}"), "written").await?;
                        if n % 2 == 1 { Err(Failure::Changed) } else { Ok(()) }
                    })
                })
                .await;
            (n, result.is_ok())
        });
    }
    for (n, ok) in calls.join_all().await {
        assert_eq!(ok, n % 2 == 0);
        let key = format!("key-{n}");
        let found = store
            .read("look", move |tx| {
                Box::pin(async move { settings::get(tx, &key).await })
            })
            .await
            .unwrap();
        assert_eq!(found.is_some(), ok, "key-{n}");
    }
}

async fn a_panic_is_an_error_and_the_store_goes_on(db: Database) {
    let store = db.store().await;
    let other = store.clone();
    let result = tokio::spawn(async move {
        other
            .run_tx("panic", |tx| {
                Box::pin(async move {
                    settings::put(tx, "before", "the fall").await?;
                    assert!(tx.now().as_micros() < 0, "on purpose");
                    Ok::<(), Error>(())
                })
            })
            .await
    })
    .await;
    // On SQLite the writer's task outlives it and answers; on PostgreSQL it falls on the caller.
    assert!(!matches!(result, Ok(Ok(()))));
    let found = store
        .read("look", |tx| {
            Box::pin(async move { settings::get(tx, "before").await })
        })
        .await;
    assert_eq!(found.unwrap(), None);
}

async fn what_is_done_is_counted_by_name(db: Database) {
    let store = db.store().await;
    let before = store.stats();
    store
        .run_tx("counted", |tx| {
            Box::pin(async move { settings::put(tx, "a", "b").await })
        })
        .await
        .unwrap();
    let after = store.stats();
    assert_eq!(after.statements - before.statements, 1);
    assert_eq!(after.rows_written - before.rows_written, 1);
    assert_eq!(after.transactions["counted"].committed, 1);
}

async fn a_caller_that_leaves_cuts_nothing_in_two(db: Database) {
    let store = db.store().await;
    for n in 0..30_u64 {
        let call = {
            let store = store.clone();
            tokio::spawn(async move {
                store
                    .run_tx("leaves", move |tx| {
                        Box::pin(async move {
                            settings::put(tx, &format!("first-{n}"), "x").await?;
                            settings::put(tx, &format!("second-{n}"), "x").await
                        })
                    })
                    .await
            })
        };
        for _ in 0..n {
            tokio::task::yield_now().await;
        }
        call.abort();
        let _ = call.await;
    }
    for n in 0..30_u64 {
        let (first, second) = store
            .run_tx("look", move |tx| {
                Box::pin(async move {
                    let first = settings::get(tx, &format!("first-{n}")).await?;
                    let second = settings::get(tx, &format!("second-{n}")).await?;
                    Ok::<_, Error>((first, second))
                })
            })
            .await
            .unwrap();
        assert_eq!(first, second, "{n}");
    }
}
