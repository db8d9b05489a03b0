//! The embedded queue on SQLite with `synchronous=FULL`: 64 producers enqueue one message each at a time, a
//! consumer claims and is done with them; beside bare sqlx that does the same in groups of 64 by `json_each`.
//!
//! `cargo run --release -p gatepost-bench --bin queue`
#![allow(clippy::unwrap_used)]

use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Instant;

use gatepost_bench::results::Results;
use gatepost_messaging::{Broker, Envelope, Outbox, Outcome};
use gatepost_storage::{Set, Store, StoreOptions};
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
    let mut rates = [const { Vec::new() }; 4];
    for _ in 0..ROUNDS {
        let (enqueue, whole) = ours().await;
        let (bare_enqueue, bare_whole) = bare().await;
        for (kept, rate) in rates.iter_mut().zip([enqueue, bare_enqueue, whole, bare_whole]) {
            kept.push(rate);
        }
    }
    let [enqueue, bare_enqueue, whole, bare_whole] = rates.map(median);
    results.add("enqueue alone: gatepost-messaging, 64 producers", enqueue, "1/s");
    results.add("enqueue alone: bare sqlx, groups of 64", bare_enqueue, "1/s");
    results.add("enqueue alone: ratio", enqueue / bare_enqueue, "ratio");
    results.add("enqueue, claim, done: gatepost-messaging", whole, "1/s");
    results.add("enqueue, claim, done: bare sqlx, groups of 64", bare_whole, "1/s");
    results.add("enqueue, claim, done: ratio", whole / bare_whole, "ratio");
    results.keep();
}

/// Messages a second: enqueued by all producers, and from the first enqueue to the last one done.
async fn ours() -> (f64, f64) {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}/queue.db", folder.path().display());
    let store = Store::open(&url, StoreOptions::default()).await.unwrap();
    store.migrate(&[Set::Messaging]).await.unwrap();
    let outbox = Outbox::new(&store);

    let began = Instant::now();
    produce(&outbox, "alone").await;
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
    produce(&outbox, "work").await;
    // Ends when the last one is done, and noted.
    running.await.unwrap().unwrap();
    let whole = rate(began);
    assert_eq!(done.load(Ordering::Relaxed), ALL);
    store.close().await;
    (enqueue, whole)
}

async fn produce(outbox: &Outbox, queue: &'static str) {
    let producers: Vec<_> = (0..PRODUCERS)
        .map(|nth| {
            let outbox = outbox.clone();
            tokio::spawn(async move {
                for n in 0..EACH {
                    let message = Envelope::json(queue, "work", &body(nth * EACH + n)).unwrap();
                    outbox.enqueue(message).await.unwrap();
                }
            })
        })
        .collect();
    for producer in producers {
        producer.await.unwrap();
    }
}

/// The least that can be written by hand: a table, groups, three transactions a group.
async fn bare() -> (f64, f64) {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}/queue.db", folder.path().display());
    let options = SqliteConnectOptions::from_str(&url)
        .unwrap()
        .create_if_missing(true);
    let options = options
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full);
    let mut conn = options.connect().await.unwrap();
    let table =
        "CREATE TABLE work (id INTEGER PRIMARY KEY, queue TEXT, kind TEXT, body TEXT, lease INTEGER) STRICT";
    sqlx::query(table).execute(&mut conn).await.unwrap();
    sqlx::query("CREATE INDEX ready ON work (queue, lease, id)")
        .execute(&mut conn)
        .await
        .unwrap();

    let began = Instant::now();
    for group in 0..ALL / GROUP {
        insert(&mut conn, "alone", group).await;
    }
    let enqueue = rate(began);
    let began = Instant::now();
    for group in 0..ALL / GROUP {
        insert(&mut conn, "work", group).await;
        let claimed: Vec<(i64, String)> = sqlx::query_as(
            "UPDATE work SET lease = 1 WHERE id IN
               (SELECT id FROM work WHERE queue = 'work' AND lease = 0 ORDER BY id LIMIT 64) RETURNING id, body",
        )
        .fetch_all(&mut conn)
        .await
        .unwrap();
        assert_eq!(claimed.len(), 64);
        let ids: Vec<i64> = claimed.iter().map(|(id, _)| *id).collect();
        sqlx::query("DELETE FROM work WHERE id IN (SELECT value FROM json_each($1))")
            .bind(json!(ids).to_string())
            .execute(&mut conn)
            .await
            .unwrap();
    }
    let whole = rate(began);
    conn.close().await.unwrap();
    (enqueue, whole)
}

async fn insert(conn: &mut SqliteConnection, queue: &str, group: u32) {
    let bodies: Vec<Value> = (0..GROUP).map(|n| body(group * GROUP + n)).collect();
    sqlx::query("INSERT INTO work (queue, kind, body, lease) SELECT $1, 'work', value, 0 FROM json_each($2)")
        .bind(queue)
        .bind(json!(bodies).to_string())
        .execute(conn)
        .await
        .unwrap();
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
