//! Broadcasts on RabbitMQ: a fanout exchange, and a queue of its own for each instance that listens, which goes
//! with its connection.

use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use futures_util::StreamExt;
use lapin::options::{BasicConsumeOptions, ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{Channel, Consumer, ExchangeKind};
use tokio::sync::broadcast;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::Rabbit;
use super::supervised::{Generation, Supervised};
use crate::broker::broadcast::Heard;
use crate::{Body, Envelope, Error, PublishError, Route, Topology};

/// The exchange that all instances listen to.
pub(crate) const EXCHANGE: &str = "gatepost.broadcast";

/// How many words a slow subscription may be behind.
const BEHIND: usize = 1_024;
/// How many wait at the broker; older ones are dropped.
const WAITING: i32 = 10_000;
/// The pause before subscribing again, doubled each time up to the last.
const AGAIN: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(10));

/// The listening of one instance, shared by its subscriptions; it ends with the last.
#[derive(Debug)]
pub(crate) struct Fanout {
    sender: broadcast::Sender<Heard>,
    _stop: DropGuard,
    /// The connection is kept as long as anybody listens.
    _rabbit: Rabbit,
}

/// What is there of it, if anybody listens.
pub(super) type Shared = Arc<Mutex<Weak<Fanout>>>;

impl Rabbit {
    /// Says something to every instance.
    pub(crate) async fn broadcast(&self, topic: &str, payload: Vec<u8>) -> Result<(), PublishError> {
        self.know_broadcast();
        let body = Body::bytes("application/octet-stream", payload);
        let envelope = Envelope::bytes("", topic, body.content_type, body.bytes);
        let route = || Route::exchange(EXCHANGE, topic).optional();
        self.publish(route(), &envelope).await?;
        Ok(())
    }

    /// Hears what every instance says.
    pub(crate) fn listen(&self) -> (broadcast::Receiver<Heard>, Arc<Fanout>) {
        self.know_broadcast();
        let mut shared = self.fanout.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(fanout) = shared.upgrade() {
            return (fanout.sender.subscribe(), fanout);
        }
        let (sender, receiver) = broadcast::channel(BEHIND);
        let stop = CancellationToken::new();
        let connection = self.link.consuming().clone();
        tokio::spawn(run(connection, sender.clone(), stop.clone()));
        let fanout = Arc::new(Fanout {
            sender,
            _stop: stop.drop_guard(),
            _rabbit: self.clone(),
        });
        *shared = Arc::downgrade(&fanout);
        (receiver, fanout)
    }

    /// From now on the exchange is made at each connection, and when it is found missing.
    fn know_broadcast(&self) {
        let known = |topology: &Topology| topology.exchanges().any(|(name, _)| name == EXCHANGE);
        if !known(&self.known.read().unwrap_or_else(PoisonError::into_inner)) {
            self.known
                .write()
                .unwrap_or_else(PoisonError::into_inner)
                .merge(&Topology::new().fanout(EXCHANGE));
        }
    }
}

async fn run(connection: Supervised, sender: broadcast::Sender<Heard>, stop: CancellationToken) {
    let mut pause = AGAIN.0;
    loop {
        let ended = async {
            let (mut consumer, channel, generation) = subscribe(&connection).await?;
            // Whatever was said while nobody listened.
            let _ = sender.send(Heard::Missed);
            let heard = hear(&mut consumer, &sender, &connection, generation).await;
            drop(channel);
            Ok::<_, Error>(heard)
        };
        let ended = tokio::select! {
            ended = ended => ended,
            () = stop.cancelled() => return,
        };
        match ended {
            Ok(true) => pause = AGAIN.0,
            Ok(false) => {}
            Err(Error::Closed) => return,
            Err(error) => tracing::warn!(%error, "broadcasts can't be heard now, trying again"),
        }
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = stop.cancelled() => return,
        }
        pause = (pause * 2).min(AGAIN.1);
    }
}

async fn subscribe(connection: &Supervised) -> Result<(Consumer, Channel, Generation), Error> {
    let (channel, generation) = connection.channel().await?;
    let durable = ExchangeDeclareOptions {
        durable: true,
        ..ExchangeDeclareOptions::default()
    };
    connection
        .within(channel.exchange_declare(
            EXCHANGE.into(),
            ExchangeKind::Fanout,
            durable,
            FieldTable::default(),
        ))
        .await?;
    let mut arguments = FieldTable::default();
    arguments.insert("x-max-length".into(), AMQPValue::LongInt(WAITING));
    let own = QueueDeclareOptions {
        exclusive: true,
        auto_delete: true,
        ..QueueDeclareOptions::default()
    };
    let queue = connection
        .within(channel.queue_declare("".into(), own, arguments))
        .await?;
    let name = queue.name().clone();
    connection
        .within(channel.queue_bind(
            name.clone(),
            EXCHANGE.into(),
            "".into(),
            QueueBindOptions::default(),
            FieldTable::default(),
        ))
        .await?;
    let unanswered = BasicConsumeOptions {
        no_ack: true,
        exclusive: true,
        ..BasicConsumeOptions::default()
    };
    let consumer = connection
        .within(channel.basic_consume(name, "".into(), unanswered, FieldTable::default()))
        .await?;
    Ok((consumer, channel, generation))
}

/// Passes on what comes until the subscription ends; whether anything came.
async fn hear(
    consumer: &mut Consumer,
    sender: &broadcast::Sender<Heard>,
    connection: &Supervised,
    generation: Generation,
) -> bool {
    let mut any = false;
    let lost = connection.lost(generation);
    tokio::pin!(lost);
    loop {
        let next = tokio::select! {
            next = consumer.next() => next,
            () = &mut lost => return any,
        };
        let Some(Ok(delivery)) = next else {
            return any;
        };
        any = true;
        let _ = sender.send(Heard::Said {
            topic: delivery.routing_key.to_string(),
            body: delivery.data,
        });
    }
}
