//! Confirmed publishing onto a quorum queue of a RabbitMQ of its own: ours beside bare lapin with as many messages
//! under way, and beside pika, which waits for each confirm as the Python services do.
//!
//! `cargo run --release -p gatepost-bench --bin publish`; pika for the python3 on the path, or for
//! `GATEPOST_TEST_PYTHON`.
#![allow(clippy::unwrap_used)]

use std::process::Command;
use std::sync::Arc;
use std::time::Instant;

use futures_util::StreamExt;
use futures_util::stream::{self, FuturesUnordered};
use gatepost_bench::outside::Rabbit;
use gatepost_bench::results::Results;
use gatepost_messaging::{Broker, Envelope, Outgoing, Route, Topology};
use lapin::options::{BasicPublishOptions, ConfirmSelectOptions, QueueDeleteOptions};
use lapin::{BasicProperties, Channel, Connection, ConnectionProperties};
use uuid::Builder;

const MESSAGES: usize = 20_000;
const BYTES: usize = 1024;
/// What ours has under way at most: four channels, 128 on each.
const CHANNELS: usize = 4;
const BATCH: usize = 128;
const WINDOW: usize = CHANNELS * BATCH;
const BY_PIKA: usize = 1500;
const ROUNDS: usize = 5;
const QUEUE: &str = "bench.publish";

const PIKA: &str = r#"
import sys, time, uuid, pika
url, queue, messages, size = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
channel = pika.BlockingConnection(pika.URLParameters(url)).channel()
channel.confirm_delivery()
body = b"x" * size
began = time.monotonic()
for n in range(messages):
    properties = pika.BasicProperties(delivery_mode=2, content_type="application/json", message_id=str(uuid.uuid4()))
    channel.basic_publish("", queue, body, properties, mandatory=True)
print(messages / (time.monotonic() - began))
"#;

#[tokio::main]
async fn main() {
    let rabbit = tokio::task::spawn_blocking(Rabbit::start).await.unwrap();
    let url = format!("{}/%2f", rabbit.url());
    let broker = Broker::connect(&url).await.unwrap();
    let connection = Connection::connect(&url, ConnectionProperties::default())
        .await
        .unwrap();

    let mut rates = [const { Vec::new() }; 5];
    // Each in each place once: what ran before leaves the broker work to do, a deleted queue and its segments.
    for round in 0..ROUNDS {
        for place in 0..rates.len() {
            let which = (round + place) % rates.len();
            empty(&broker, &connection).await;
            let rate = match which {
                0 => ours(&broker).await,
                1 => one_by_one_together(&broker).await,
                2 => bare_sliding(&connection).await,
                3 => bare_batches(&connection).await,
                _ => pika(&url).await,
            };
            rates[which].push(rate);
        }
    }
    let [ours, together, sliding, batches, pika] = rates.map(median);
    let bare = sliding.max(batches);
    let mut results = Results::of("publish");
    results.add("gatepost-messaging, publish_batch, 512 under way", ours, "1/s");
    results.add(
        "gatepost-messaging, 512 callers of publish at once",
        together,
        "1/s",
    );
    results.add("bare lapin, one channel, 512 under way", sliding, "1/s");
    results.add("bare lapin, 4 channels, batches of 128", batches, "1/s");
    results.add("pika, one by one", pika, "1/s");
    results.ratio("beside the faster way of bare lapin", ours / bare, 0.9);
    results.ratio("beside pika", ours / pika, 8.0);
    results.keep();
    drop(broker);
    drop(connection);
    tokio::task::spawn_blocking(move || drop(rabbit)).await.unwrap();
}

/// Makes the queue anew.
async fn empty(broker: &Broker, connection: &Connection) {
    let channel = connection.create_channel().await.unwrap();
    channel
        .queue_delete(QUEUE.into(), QueueDeleteOptions::default())
        .await
        .unwrap();
    let topology = Topology::new().queue(QUEUE, |q| q.retries(&[]));
    assert!(broker.declare(&topology).await.unwrap().is_empty());
}

fn message() -> Outgoing {
    let envelope = Envelope::bytes(QUEUE, "bench", "application/json", vec![b'x'; BYTES]);
    Outgoing::new(Route::queue(QUEUE), envelope)
}

async fn ours(broker: &Broker) -> f64 {
    let batch = (0..MESSAGES).map(|_| message()).collect();
    let began = Instant::now();
    let outcomes = broker.publish_batch(batch).await;
    let rate = rate(MESSAGES, began);
    assert!(outcomes.iter().all(Result::is_ok));
    rate
}

/// As programs do it: each caller publishes one message and waits for it.
async fn one_by_one_together(broker: &Broker) -> f64 {
    let began = Instant::now();
    stream::iter(0..MESSAGES)
        .for_each_concurrent(WINDOW, |_| async move {
            let one = message();
            broker.publish_envelope(one.route, &one.envelope).await.unwrap();
        })
        .await;
    rate(MESSAGES, began)
}

/// The next message goes out whenever a confirm has come.
async fn bare_sliding(connection: &Connection) -> f64 {
    let channel = confirming(connection).await;
    let body = vec![b'x'; BYTES];
    let began = Instant::now();
    stream::iter(0..MESSAGES)
        .for_each_concurrent(WINDOW, |_| send(&channel, &body))
        .await;
    rate(MESSAGES, began)
}

/// As ours does it, without telling anybody whose outcome is whose.
async fn bare_batches(connection: &Connection) -> f64 {
    let body: Arc<[u8]> = vec![b'x'; BYTES].into();
    let mut channels = Vec::new();
    for _ in 0..CHANNELS {
        channels.push(confirming(connection).await);
    }
    let began = Instant::now();
    let tasks: Vec<_> = channels
        .into_iter()
        .map(|channel| {
            let body = Arc::clone(&body);
            tokio::spawn(async move {
                let mut left = MESSAGES / CHANNELS;
                while left > 0 {
                    let now = left.min(BATCH);
                    let batch: FuturesUnordered<_> = (0..now).map(|_| send(&channel, &body)).collect();
                    batch.collect::<Vec<()>>().await;
                    left -= now;
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    rate(MESSAGES, began)
}

async fn confirming(connection: &Connection) -> Channel {
    let channel = connection.create_channel().await.unwrap();
    channel
        .confirm_select(ConfirmSelectOptions::default())
        .await
        .unwrap();
    channel
}

async fn send(channel: &Channel, body: &[u8]) {
    let options = BasicPublishOptions {
        mandatory: true,
        immediate: false,
    };
    let mut random = [0; 16];
    getrandom::fill(&mut random).unwrap();
    let id = Builder::from_random_bytes(random).into_uuid();
    let properties = BasicProperties::default()
        .with_delivery_mode(2)
        .with_content_type("application/json".into())
        .with_message_id(id.to_string().into());
    let sent = channel.basic_publish("".into(), QUEUE.into(), options, body, properties);
    assert!(sent.await.unwrap().await.unwrap().is_ack());
}

async fn pika(url: &str) -> f64 {
    let python = std::env::var("GATEPOST_TEST_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let (messages, size) = (BY_PIKA.to_string(), BYTES.to_string());
    let mut command = Command::new(python);
    command.args(["-c", PIKA, url, QUEUE, &messages, &size]);
    let ran = tokio::task::spawn_blocking(move || command.output())
        .await
        .unwrap()
        .unwrap();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    String::from_utf8_lossy(&ran.stdout).trim().parse().unwrap()
}

fn rate(messages: usize, began: Instant) -> f64 {
    f64::from(u32::try_from(messages).unwrap()) / began.elapsed().as_secs_f64()
}

fn median(mut rates: Vec<f64>) -> f64 {
    rates.sort_by(f64::total_cmp);
    rates[rates.len() / 2]
}
