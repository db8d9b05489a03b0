//! Events get their numbers after the commit, so that no reader steps over one.

use std::collections::BTreeSet;
use std::time::Duration;

use gatepost_storage::event_cursors::{self, Moved};
use gatepost_storage::events::{self, EventRow, Numbers};
use gatepost_storage::testing::ManualClock;
use gatepost_storage::{Store, Timestamp, new_id};
use serde_json::json;
use sqlx::PgPool;

use crate::databases::{Database, Stores as _, on_both};

on_both!(
    numbers_are_given_in_the_order_of_writing,
    readers_that_run_beside_writers_miss_nothing,
    what_is_swept_is_remembered,
    a_cursor_is_one_processs_at_a_time,
);

async fn tell(store: &Store, kinds: &[&'static str]) {
    let kinds = kinds.to_vec();
    store
        .run_tx("tell", move |tx| {
            let news: Vec<_> = kinds.iter().map(|kind| (*kind, json!({"a": "ä"}))).collect();
            Box::pin(async move { events::insert_many(tx, &news).await })
        })
        .await
        .unwrap();
}

async fn number(store: &Store) -> u64 {
    store
        .run_tx("number", |tx| Box::pin(events::number(tx, 1_000)))
        .await
        .unwrap()
}

async fn after(store: &Store, seq: i64) -> Vec<EventRow> {
    store
        .read("after", |tx| Box::pin(events::after(tx, seq, 1_000)))
        .await
        .unwrap()
}

async fn numbers(store: &Store) -> Numbers {
    store
        .read("numbers", |tx| Box::pin(events::numbers(tx)))
        .await
        .unwrap()
}

async fn numbers_are_given_in_the_order_of_writing(db: Database) {
    let store = db.store().await;
    tell(&store, &["a", "b"]).await;
    let single = store.run_tx("one", |tx| {
        Box::pin(async move { events::insert(tx, "c", &json!({"n": 1})).await })
    });
    let id = single.await.unwrap();
    assert!(after(&store, 0).await.is_empty(), "no number, nothing to see");
    assert_eq!(number(&store).await, 3);
    assert_eq!(number(&store).await, 0);
    let seen = after(&store, 0).await;
    let kinds: Vec<_> = seen
        .iter()
        .map(|event| (event.seq, event.kind.as_str()))
        .collect();
    assert_eq!(kinds, [(1, "a"), (2, "b"), (3, "c")]);
    assert_eq!((seen[2].id, seen[2].data.0.clone()), (id, json!({"n": 1})));
    tell(&store, &["d"]).await;
    number(&store).await;
    assert_eq!(after(&store, 3).await[0].seq, 4);
    let some = store.read("some", |tx| {
        Box::pin(async move { events::after_of_kinds(tx, 1, &["b".to_owned(), "d".to_owned()], 10).await })
    });
    let kinds: Vec<_> = some.await.unwrap().into_iter().map(|event| event.kind).collect();
    assert_eq!(kinds, ["b", "d"]);
}

async fn readers_that_run_beside_writers_miss_nothing(db: Database) {
    const EACH: usize = 40;
    let store = db.store().await;
    let mut writers = tokio::task::JoinSet::new();
    for _ in 0..4 {
        let store = store.clone();
        writers.spawn(async move {
            for _ in 0..EACH {
                tell(&store, &["x"]).await;
            }
        });
    }
    let mut publishers = tokio::task::JoinSet::new();
    for _ in 0..2 {
        let store = store.clone();
        publishers.spawn(async move {
            let mut seen = Vec::new();
            while seen.len() < 4 * EACH {
                number(&store).await;
                let from = seen.last().map_or(0, |event: &EventRow| event.seq);
                seen.extend(after(&store, from).await);
            }
            seen
        });
    }
    while let Some(done) = writers.join_next().await {
        done.unwrap();
    }
    while let Some(seen) = publishers.join_next().await {
        let seen = seen.unwrap();
        let ids: BTreeSet<_> = seen.iter().map(|event| event.id).collect();
        assert_eq!(ids.len(), 4 * EACH);
        assert!(seen.iter().map(|event| event.seq).eq(1..=160));
    }
}

/// The transaction that writes first commits last: a reader that went by ids or times would have passed it.
#[tokio::test]
async fn a_late_commit_comes_after_what_was_read_before() {
    let db = Database::postgres();
    let pool = PgPool::connect(&db.url).await.unwrap();
    let store = db.store().await;
    let mut late = pool.begin().await.unwrap();
    events::insert(&mut store.join(&mut *late).unwrap(), "late", &json!({}))
        .await
        .unwrap();
    tell(&store, &["early"]).await;
    number(&store).await;
    let read = after(&store, 0).await;
    assert_eq!(read.len(), 1);
    assert_eq!(read[0].kind, "early");
    late.commit().await.unwrap();
    number(&store).await;
    let read = after(&store, read[0].seq).await;
    assert_eq!(read.len(), 1);
    assert_eq!(read[0].kind, "late");
}

async fn what_is_swept_is_remembered(db: Database) {
    let clock = ManualClock::at(Timestamp::from_secs(1_800_000_000));
    let store = db.store_with(clock.clock()).await;
    tell(&store, &["a", "b", "c"]).await;
    number(&store).await;
    clock.advance(Duration::from_secs(10));
    tell(&store, &["d"]).await;
    number(&store).await;
    let sweep = |limit| {
        let before = store.now();
        store.run_tx("sweep", move |tx| Box::pin(events::sweep(tx, before, limit)))
    };
    assert_eq!(sweep(2).await.unwrap(), 2);
    assert_eq!(numbers(&store).await, Numbers { last: 4, swept: 2 });
    assert_eq!(sweep(2).await.unwrap(), 1);
    assert_eq!(sweep(2).await.unwrap(), 0);
    assert_eq!(numbers(&store).await, Numbers { last: 4, swept: 3 });
    assert_eq!(after(&store, 0).await.len(), 1);
}

async fn a_cursor_is_one_processs_at_a_time(db: Database) {
    let clock = ManualClock::at(Timestamp::from_secs(1_800_000_000));
    let store = db.store_with(clock.clock()).await;
    tell(&store, &["before"]).await;
    number(&store).await;
    let (one, two) = (new_id(store.now()), new_id(store.now()));
    let claim = |lease| {
        store.run_tx("claim", move |tx| {
            Box::pin(async move {
                let until = tx.now() + Duration::from_secs(60);
                event_cursors::claim(tx, "w", lease, until).await
            })
        })
    };
    let advance = |lease, position| {
        let moved = Moved {
            position,
            delivered: 1,
            ..Moved::default()
        };
        store.run_tx("advance", move |tx| {
            Box::pin(event_cursors::advance(tx, "w", lease, moved))
        })
    };
    assert_eq!(
        claim(one).await.unwrap().unwrap().position,
        1,
        "it begins at the end"
    );
    assert_eq!(claim(two).await.unwrap(), None);
    assert!(advance(one, 2).await.unwrap());
    assert!(!advance(two, 3).await.unwrap());
    assert!(!advance(one, 1).await.unwrap(), "never back");
    let failed = store.run_tx("failed", move |tx| {
        Box::pin(async move {
            let then = tx.now() + Duration::from_secs(5);
            event_cursors::failed(tx, "w", one, then, "no").await
        })
    });
    assert!(failed.await.unwrap());
    clock.advance(Duration::from_secs(61));
    let row = claim(two).await.unwrap().unwrap();
    assert_eq!((row.position, row.delivered, row.attempts), (2, 1, 1));
    assert_eq!(row.last_error.as_deref(), Some("no"));
    assert!(!advance(one, 5).await.unwrap());
    assert!(advance(two, 3).await.unwrap());
    let rows = store
        .read("list", |tx| Box::pin(event_cursors::list(tx)))
        .await
        .unwrap();
    assert_eq!((rows[0].attempts, rows[0].failing_since), (0, None));
    let sweep = |before| store.run_tx("sweep", move |tx| Box::pin(event_cursors::sweep(tx, before)));
    assert_eq!(sweep(store.now()).await.unwrap(), 0);
    assert_eq!(sweep(store.now() + Duration::from_secs(61)).await.unwrap(), 1);
}
