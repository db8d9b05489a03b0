//! Time: one clock for all instances, and what a test's clock does.

use std::time::Duration;

use gatepost_storage::testing::ManualClock;
use gatepost_storage::{Clock, Timestamp, new_id};

use crate::databases::{Database, Stores as _, on_both};

on_both!(a_transaction_has_the_stores_hour, ids_made_later_sort_later);

async fn a_transaction_has_the_stores_hour(db: Database) {
    let clock = ManualClock::at(Timestamp::from_secs(1_800_000_000));
    let store = db.store_with(clock.clock()).await;
    clock.advance(Duration::from_millis(2500));
    let now = store
        .run_tx("hour", |tx| {
            let now = tx.now();
            Box::pin(async move { Ok::<_, gatepost_storage::Error>(now) })
        })
        .await
        .unwrap();
    assert_eq!(now, Timestamp::from_micros(1_800_000_002_500_000));
    let sleeper = {
        let store = store.clone();
        tokio::spawn(async move { store.sleep_until(now + Duration::from_secs(60)).await })
    };
    tokio::task::yield_now().await;
    assert!(!sleeper.is_finished());
    clock.advance(Duration::from_secs(61));
    tokio::time::timeout(Duration::from_secs(5), sleeper)
        .await
        .expect("woken by its clock")
        .unwrap();
}

async fn ids_made_later_sort_later(db: Database) {
    let store = db.store().await;
    let first = new_id(store.now());
    let second = new_id(store.now() + Duration::from_millis(1));
    assert!(first < second);
}

#[tokio::test]
async fn an_instance_whose_clock_is_wrong_follows_the_database() {
    let db = Database::postgres();
    let right = db.store().await;
    let apart = right.now().since(Clock::system().now()) + Clock::system().now().since(right.now());
    assert!(
        apart < Duration::from_secs(1),
        "the database runs on this machine: {apart:?}"
    );
}

#[test]
fn a_time_reads_the_same_as_it_was_written() {
    let time = Timestamp::from_micros(1_763_812_800_123_456);
    let text = serde_json::to_string(&time).unwrap();
    assert_eq!(text, "\"2025-11-22T12:00:00.123456Z\"");
    assert_eq!(serde_json::from_str::<Timestamp>(&text).unwrap(), time);
    assert!(serde_json::from_str::<Timestamp>("\"yesterday\"").is_err());
}
