//! The test's own hold on a RabbitMQ: what time does there by itself, and clearing up afterwards.

use std::collections::BTreeMap;

use gatepost_messaging::Broker;
use gatepost_storage::Timestamp;
use lapin::options::{
    BasicAckOptions, BasicGetOptions, BasicPublishOptions, ConfirmSelectOptions, QueueDeleteOptions,
};
use lapin::types::AMQPValue;
use lapin::{Channel, Connection, ConnectionProperties};

/// Every delay that a test uses.
const DELAYS: [&str; 11] = [
    "100ms", "1s", "5s", "30s", "60s", "1m", "2m", "10m", "30m", "2h", "6h",
];

/// The broker that the tests share.
pub(crate) fn amqp_url() -> String {
    std::env::var("GATEPOST_TEST_AMQP_URL")
        .expect("GATEPOST_TEST_AMQP_URL names no RabbitMQ: run ./scripts/test, which starts one, or set it")
}

/// A number that nobody else has.
pub(crate) fn rand() -> u128 {
    gatepost_storage::new_id(gatepost_storage::Clock::system().now()).as_u128()
}

pub(crate) struct Rabbit {
    pub(crate) broker: Broker,
    queue: String,
}

impl Rabbit {
    pub(crate) fn new(broker: Broker, queue: &str) -> Self {
        let queue = queue.to_owned();
        Self { broker, queue }
    }

    /// Does what RabbitMQ does when a message's time on a rung is over, by the test's clock instead of its own.
    pub(crate) async fn flow_back(&self, now: Timestamp) {
        let (connection, channel) = channel().await;
        channel
            .confirm_select(ConfirmSelectOptions::default())
            .await
            .unwrap();
        for delay in DELAYS {
            let rung = format!("{}.retry.{delay}", self.queue);
            // A queue that is not there closes it.
            let looking = connection.create_channel().await.unwrap();
            let mut due = BTreeMap::new();
            while let Ok(Some(message)) = looking
                .basic_get(rung.as_str().into(), BasicGetOptions::default())
                .await
            {
                let at = not_before(&message.delivery.properties);
                if at <= now.as_micros() {
                    due.insert((at, due.len()), message.delivery);
                }
            }
            for delivery in due.into_values() {
                let queue = self.queue.as_str();
                let options = BasicPublishOptions::default();
                let sent = channel.basic_publish(
                    "".into(),
                    queue.into(),
                    options,
                    &delivery.data,
                    delivery.properties.clone(),
                );
                assert!(sent.await.unwrap().await.unwrap().is_ack());
                assert!(delivery.acker.ack(BasicAckOptions::default()).await.unwrap());
            }
        }
    }
}

fn not_before(properties: &lapin::BasicProperties) -> i64 {
    let headers = properties.headers().as_ref().unwrap();
    match headers.inner().get("x-not-before") {
        Some(AMQPValue::LongLongInt(at)) => *at,
        other => panic!("a message that waits says until when: {other:?}"),
    }
}

async fn channel() -> (Connection, Channel) {
    let connection = Connection::connect(&amqp_url(), ConnectionProperties::default())
        .await
        .unwrap();
    let channel = connection.create_channel().await.unwrap();
    (connection, channel)
}

/// Nothing is left on the broker that others share.
impl Drop for Rabbit {
    fn drop(&mut self) {
        let queue = self.queue.clone();
        let cleaner = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async {
                let (_connection, channel) = channel().await;
                let sides = ["dead", "suspect"].into_iter().map(str::to_owned);
                let rungs = DELAYS.iter().map(|delay| format!("retry.{delay}"));
                let names = sides.chain(rungs).map(|side| format!("{queue}.{side}"));
                for name in std::iter::once(queue.clone()).chain(names) {
                    channel
                        .queue_delete(name.as_str().into(), QueueDeleteOptions::default())
                        .await
                        .unwrap();
                }
            });
        });
        let _ = cleaner.join();
    }
}
