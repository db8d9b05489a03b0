//! The embedded queue on SQLite with `synchronous=FULL`: 64 producers enqueue one message each at a time, a
//! consumer claims and is done with them; beside one connection of bare sqlx that runs the same statements, over
//! `json_each` in groups of 64, and does nothing else. And the same with producers that publish in transactions of
//! their own (`run_tx`), as whoever writes something else along does.
//!
//! `cargo run --release -p gatepost-bench --bin queue`
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use gatepost_bench::results::Results;
use gatepost_messaging::{Broker, Envelope, Outbox, Outcome, Published};
use gatepost_storage::outbox::{self, Held, NewMessage};
use gatepost_storage::outbox_claims::{self, Claim};
use gatepost_storage::{Set, Store, StoreOptions, new_id};
use serde_json::{Value, json};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection};
use tokio_util::sync::CancellationToken;

const PRODUCERS: u32 = 64;
const GROUP: u32 = 64;
const EACH: u32 = 250;
const ALL: u32 = PRODUCERS * EACH;
const ROUNDS: usize = 5;

#[tokio::main]
async fn main() {
    let mut results = Results::of("queue");
    let mut rates = [const { Vec::new() }; 6];
    for _ in 0..ROUNDS {
        let (enqueue, whole) = ours(Way::Enqueue).await;
        let (tx_enqueue, tx_whole) = ours(Way::RunTx).await;
        let (bare_enqueue, bare_whole) = bare().await;
        let round = [enqueue, bare_enqueue, whole, bare_whole, tx_enqueue, tx_whole];
        for (kept, rate) in rates.iter_mut().zip(round) {
            kept.push(rate);
        }
    }
    let [enqueue, bare_enqueue, whole, bare_whole, tx_enqueue, tx_whole] = rates.map(median);
    results.add("enqueue alone: gatepost-messaging, 64 producers", enqueue, "1/s");
    results.add(
        "enqueue alone: the same statements by bare sqlx, groups of 64",
        bare_enqueue,
        "1/s",
    );
    results.add("enqueue alone: ratio", enqueue / bare_enqueue, "ratio");
    results.add(
        "enqueue alone: 64 producers, each in run_tx of its own",
        tx_enqueue,
        "1/s",
    );
    results.at_least("enqueue, claim, done: gatepost-messaging", whole, "1/s", 10_000.0);
    results.add(
        "enqueue, claim, done: the same statements by bare sqlx, groups of 64",
        bare_whole,
        "1/s",
    );
    results.ratio("enqueue, claim, done: ratio", whole / bare_whole, 0.3);
    results.add(
        "enqueue, claim, done: producers each in run_tx of its own",
        tx_whole,
        "1/s",
    );
    results.keep();
}

/// How producers publish.
#[derive(Clone, Copy)]
enum Way {
    /// `enqueue`, and nothing else.
    Enqueue,
    /// In a transaction of their own, which could write more.
    RunTx,
}

/// Messages a second: enqueued by all producers, and from the first enqueue to the last one done.
async fn ours(way: Way) -> (f64, f64) {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}/queue.db", folder.path().display());
    let store = Store::open(&url, StoreOptions::default()).await.unwrap();
    store.migrate(&[Set::Messaging]).await.unwrap();
    let outbox = Outbox::new(&store);

    let began = Instant::now();
    produce(&store, &outbox, "alone", way).await;
    let enqueue = rate(began);

    let done = Arc::new(AtomicU32::new(0));
    let stop = CancellationToken::new();
    let consumer = {
        let (done, stop) = (Arc::clone(&done), stop.clone());
        let consumer = Broker::embedded(&store).consume_any("work", move |_| {
            if done.fetch_add(1, Ordering::Relaxed) + 1 == ALL {
                stop.cancel();
            }
            async { Outcome::Done }
        });
        consumer.concurrency(64).prefetch(256)
    };
    let began = Instant::now();
    let running = tokio::spawn(consumer.run_until(stop));
    produce(&store, &outbox, "work", way).await;
    // Ends when the last one is done, and noted.
    running.await.unwrap().unwrap();
    let whole = rate(began);
    assert_eq!(done.load(Ordering::Relaxed), ALL);
    store.close().await;
    (enqueue, whole)
}

async fn produce(store: &Store, outbox: &Outbox, queue: &'static str, way: Way) {
    let producers: Vec<_> = (0..PRODUCERS)
        .map(|nth| {
            let (store, outbox) = (store.clone(), outbox.clone());
            tokio::spawn(async move {
                for n in 0..EACH {
                    let message = Envelope::json(queue, "work", &body(nth * EACH + n)).unwrap();
                    match way {
                        Way::Enqueue => outbox.enqueue(message).await.unwrap(),
                        Way::RunTx => in_run_tx(&store, &outbox, message).await,
                    };
                }
            })
        })
        .collect();
    for producer in producers {
        producer.await.unwrap();
    }
}

async fn in_run_tx(store: &Store, outbox: &Outbox, message: Envelope) -> Published {
    let (outbox, message) = (outbox.clone(), Arc::new(message));
    let published = store.run_tx("publish", move |tx| {
        let (outbox, message) = (outbox.clone(), Arc::clone(&message));
        Box::pin(async move { outbox.publish_envelope(tx, &message).await })
    });
    published.await.unwrap()
}

/// The same statements on the same tables, one after another, with nobody waiting for anything: a transaction for
/// each group that is inserted, claimed, done.
async fn bare() -> (f64, f64) {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}/queue.db", folder.path().display());
    let store = Store::open(&url, StoreOptions::default()).await.unwrap();
    store.migrate(&[Set::Messaging]).await.unwrap();
    let options = SqliteConnectOptions::from_str(&url)
        .unwrap()
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full);
    let mut conn = options.connect().await.unwrap();

    let began = Instant::now();
    for group in 0..ALL / GROUP {
        insert(&store, &mut conn, "alone", group).await;
    }
    let enqueue = rate(began);
    let began = Instant::now();
    for group in 0..ALL / GROUP {
        insert(&store, &mut conn, "work", group).await;
        let (now, lease) = (store.now(), new_id(store.now()));
        let claim = Claim {
            queue: "work".to_owned(),
            limit: i64::from(GROUP),
            lease,
            until: now + Duration::from_secs(12),
        };
        let mut transaction = conn.begin_with("BEGIN IMMEDIATE").await.unwrap();
        let claimed = outbox_claims::claim(&mut store.join(&mut *transaction).unwrap(), &claim)
            .await
            .unwrap();
        transaction.commit().await.unwrap();
        assert_eq!(claimed.len(), 64);
        let held: Vec<Held> = claimed.iter().map(|row| Held { id: row.id, lease }).collect();
        let mut transaction = conn.begin_with("BEGIN IMMEDIATE").await.unwrap();
        let done = outbox_claims::finish(&mut store.join(&mut *transaction).unwrap(), &held)
            .await
            .unwrap();
        transaction.commit().await.unwrap();
        assert_eq!(done.len(), 64);
    }
    let whole = rate(began);
    conn.close().await.unwrap();
    store.close().await;
    (enqueue, whole)
}

async fn insert(store: &Store, conn: &mut SqliteConnection, queue: &str, group: u32) {
    let now = store.now();
    let messages: Vec<NewMessage> = (0..GROUP)
        .map(|n| NewMessage {
            id: new_id(now),
            queue: queue.to_owned(),
            kind: "work".to_owned(),
            headers: BTreeMap::new(),
            content_type: "application/json".to_owned(),
            body: serde_json::to_vec(&body(group * GROUP + n)).unwrap(),
            priority: 4,
            enqueued_at: now,
            visible_at: now,
            expires_at: None,
            dedupe_key: None,
        })
        .collect();
    let mut transaction = conn.begin_with("BEGIN IMMEDIATE").await.unwrap();
    let inserted = outbox::insert_many(&mut store.join(&mut *transaction).unwrap(), &messages)
        .await
        .unwrap();
    transaction.commit().await.unwrap();
    assert_eq!(inserted.len(), 64);
}

/// A message of the size of a letter's intent.
fn body(n: u32) -> Value {
    json!({ "number": n, "about": "0198c0de-7a11-7000-8000-0123456789ab", "text": "x".repeat(200) })
}

fn rate(began: Instant) -> f64 {
    f64::from(ALL) / began.elapsed().as_secs_f64()
}

fn median(mut rates: Vec<f64>) -> f64 {
    rates.sort_by(f64::total_cmp);
    rates[rates.len() / 2]
}
