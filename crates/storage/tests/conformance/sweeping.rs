//! What has expired goes a little at a time, and all of it goes.

use std::collections::HashSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use gatepost_storage::sweeper::BATCH;
use gatepost_storage::testing::ManualClock;
use gatepost_storage::{Error, Store, Timestamp, blacklist, sweeper};

use crate::databases::{Database, Stores as _, on_both};

on_both!(
    what_has_expired_goes_in_small_transactions_and_the_rest_stays,
    what_is_found_in_several_turns_goes_too,
);

async fn remember(store: &Store, name: &'static str, count: usize, expired: bool) {
    store
        .run_tx("remember", move |tx| {
            Box::pin(async move {
                let hour = Duration::from_hours(1);
                let at = if expired { tx.now() - hour } else { tx.now() + hour };
                for n in 0..count {
                    assert!(blacklist::insert(tx, &format!("{name}-{n}"), "used", at).await?);
                }
                Ok::<_, Error>(())
            })
        })
        .await
        .unwrap();
}

async fn prune(store: &Store) -> (u64, Vec<u64>) {
    let mut told = Vec::new();
    let pruned: Result<u64, Error> = store
        .sweep_found(
            "prune",
            |tx, limit| Box::pin(blacklist::expired(tx, limit)),
            |tx, rows| Box::pin(async move { blacklist::forget(tx, &rows).await }),
            |gone| told.push(gone),
        )
        .await;
    (pruned.unwrap(), told)
}

async fn what_has_expired_goes_in_small_transactions_and_the_rest_stays(db: Database) {
    let now = Timestamp::from_secs(1_800_000_000);
    let clock = ManualClock::at(now);
    let store = db.store_with(clock.clock()).await;
    remember(&store, "old", 120, true).await;
    remember(&store, "living", 3, false).await;
    assert_eq!(prune(&store).await, (120, vec![50, 100, 120]));
    assert_eq!(prune(&store).await, (0, vec![]));
    let left = store.read("count", |tx| Box::pin(blacklist::count(tx))).await;
    assert_eq!(left.unwrap(), (3, 0));
    // Found by somebody whose clock is ahead, and living all the same.
    clock.set(now + Duration::from_hours(2));
    let found = store
        .read("find", |tx| Box::pin(blacklist::expired(tx, 10)))
        .await
        .unwrap();
    assert_eq!(found.len(), 3);
    clock.set(now);
    let forgotten = store.run_tx("forget", move |tx| {
        let found = found.clone();
        Box::pin(async move { blacklist::forget(tx, &found).await })
    });
    assert_eq!(forgotten.await.unwrap(), 0);
}

/// More than are looked for at once; there are no rows, so that it takes no time.
async fn what_is_found_in_several_turns_goes_too(db: Database) {
    const ALL: usize = 10_020;
    let store = db.store().await;
    let (left, turns) = (
        Arc::new(Mutex::new((0..ALL).collect::<HashSet<_>>())),
        Arc::new(Mutex::new(0)),
    );
    let (found, gone) = (Arc::clone(&left), Arc::clone(&left));
    let count = Arc::clone(&turns);
    let swept: Result<u64, Error> = store
        .sweep_found(
            "sweep",
            move |_, limit| {
                *count.lock().unwrap() += 1;
                let limit = usize::try_from(limit).unwrap();
                let some = found.lock().unwrap().iter().copied().take(limit).collect();
                Box::pin(async move { Ok(some) })
            },
            move |_, some: Vec<usize>| {
                assert!(some.len() <= usize::try_from(BATCH).unwrap());
                let mut left = gone.lock().unwrap();
                let gone = some.iter().filter(|one| left.remove(one)).count();
                Box::pin(async move { Ok(gone as u64) })
            },
            |_| {},
        )
        .await;
    assert_eq!((swept.unwrap(), left.lock().unwrap().len()), (ALL as u64, 0));
    assert_eq!(*turns.lock().unwrap(), 2);
    assert_eq!(
        sweeper::rest_after(Duration::from_millis(2)),
        Duration::from_millis(18)
    );
}
