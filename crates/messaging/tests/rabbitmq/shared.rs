//! What the tests share.

use std::time::Duration;

use gatepost_messaging::{Broker, Envelope, Outgoing, RabbitSettings, Route};
use lapin::options::{
    BasicGetOptions, BasicPublishOptions, ExchangeDeleteOptions, QueueDeclareOptions, QueueDeleteOptions,
};
use lapin::types::FieldTable;
use lapin::{BasicProperties, Channel, Connection, ConnectionProperties};
use uuid::Uuid;

/// The RabbitMQ that is there for tests.
pub(crate) fn url() -> String {
    std::env::var("GATEPOST_TEST_AMQP_URL")
        .expect("GATEPOST_TEST_AMQP_URL names a RabbitMQ for tests; `scripts/test` starts one")
}

/// A name that nobody else has.
pub(crate) fn unique(what: &str) -> String {
    let mut bytes = [0; 8];
    getrandom::fill(&mut bytes).unwrap();
    format!("test.{what}.{:016x}", u64::from_le_bytes(bytes))
}

pub(crate) fn id() -> Uuid {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).unwrap();
    uuid::Builder::from_random_bytes(bytes).into_uuid()
}

/// Settings that give up soon.
pub(crate) fn impatient(url: &str) -> RabbitSettings {
    RabbitSettings::new(url)
        .unwrap()
        .name("gatepost tests")
        .heartbeat(Duration::from_secs(2))
        .patience(Duration::from_secs(2))
        .confirm_timeout(Duration::from_secs(10))
}

pub(crate) async fn broker() -> Broker {
    Broker::connect(&url()).await.unwrap()
}

pub(crate) fn note(queue: &str, n: u64) -> Envelope {
    Envelope::bytes(queue, "note", "text/plain", n.to_string().into_bytes())
}

pub(crate) fn to(queue: &str, n: u64) -> Outgoing {
    Outgoing::new(Route::queue(queue), note(queue, n).id(id()))
}

/// Another program's connection.
pub(crate) struct Other {
    connection: Connection,
    channel: Channel,
}

impl Other {
    pub(crate) async fn new(url: &str) -> Self {
        let connection = Connection::connect(url, ConnectionProperties::default())
            .await
            .unwrap();
        let channel = connection.create_channel().await.unwrap();
        Self { connection, channel }
    }

    pub(crate) fn channel(&self) -> &Channel {
        &self.channel
    }

    /// Publishes as the Python services do: without an id.
    pub(crate) async fn publish_nameless(&self, queue: &str, body: &[u8]) {
        let properties = BasicProperties::default().with_delivery_mode(2);
        let sent = self.channel.basic_publish(
            "".into(),
            queue.into(),
            BasicPublishOptions::default(),
            body,
            properties,
        );
        sent.await.unwrap();
    }

    /// Declares a queue as a Python program does. The channel that was refused is not used again.
    pub(crate) async fn declare(
        &self,
        queue: &str,
        durable: bool,
        arguments: FieldTable,
    ) -> lapin::Result<()> {
        let options = QueueDeclareOptions {
            durable,
            ..QueueDeclareOptions::default()
        };
        let channel = self.connection.create_channel().await?;
        channel
            .queue_declare(queue.into(), options, arguments)
            .await
            .map(drop)
    }

    /// Messages that lie in a queue, once there are as many, or as there are after a while.
    pub(crate) async fn depth(&self, queue: &str, expected: u32) -> u32 {
        let mut depth = 0;
        for _ in 0..100 {
            let options = QueueDeclareOptions {
                passive: true,
                ..QueueDeclareOptions::default()
            };
            let channel = self.connection.create_channel().await.unwrap();
            let declared = channel.queue_declare(queue.into(), options, FieldTable::default());
            depth = declared.await.unwrap().message_count();
            if depth == expected {
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        depth
    }

    /// Takes the ids of everything out of a queue.
    pub(crate) async fn ids(&self, queue: &str) -> Vec<Uuid> {
        let mut ids = Vec::new();
        let options = BasicGetOptions { no_ack: true };
        while let Some(message) = self.channel.basic_get(queue.into(), options).await.unwrap() {
            let id = message.properties.message_id().as_ref().unwrap();
            ids.push(Uuid::try_parse(id.as_str()).unwrap());
        }
        ids
    }

    pub(crate) async fn delete(&self, queues: &[&str]) {
        for queue in queues {
            self.channel
                .queue_delete((*queue).into(), QueueDeleteOptions::default())
                .await
                .unwrap();
        }
    }

    /// A queue with everything that stands beside it.
    pub(crate) async fn delete_all(&self, queue: &str, rungs: &[&str]) {
        let mut names = vec![
            queue.to_owned(),
            format!("{queue}.dead"),
            format!("{queue}.suspect"),
        ];
        names.extend(rungs.iter().map(|rung| format!("{queue}.retry.{rung}")));
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        self.delete(&names).await;
    }

    pub(crate) async fn delete_exchange(&self, exchange: &str) {
        self.channel
            .exchange_delete(exchange.into(), ExchangeDeleteOptions::default())
            .await
            .unwrap();
    }
}

/// Runs what blocks.
pub(crate) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(work).await.unwrap()
}
