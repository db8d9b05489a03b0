//! A database and a queue of a test's own.

use std::collections::BTreeMap;
use std::time::Duration;

use gatepost_messaging::{Broker, Dispatcher, Envelope, Outbox, Topology};
use gatepost_storage::outbox::{self, OutboxCount, OutboxRow};
use gatepost_storage::testing::{Database, ManualClock};
use gatepost_storage::{Clock, Set, Store, new_id, outbox_handed};
use lapin::options::{BasicAckOptions, BasicGetOptions, QueueDeclareOptions, QueueDeleteOptions};
use lapin::types::FieldTable;
use lapin::{Channel, Connection, ConnectionProperties};
use uuid::Uuid;

/// Runs each `async fn name(db: Database)` as a test on SQLite and as one on PostgreSQL.
macro_rules! on_both {
    ($($name:ident),+ $(,)?) => {
        gatepost_storage::test_on_both!(gatepost_storage::testing::Database: $($name),+);
    };
}
pub(crate) use on_both;

pub(crate) fn amqp_url() -> String {
    std::env::var("GATEPOST_TEST_AMQP_URL")
        .expect("GATEPOST_TEST_AMQP_URL names no RabbitMQ: run ./scripts/test, which starts one, or set it")
}

pub(crate) struct World {
    pub(crate) db: Database,
    pub(crate) clock: ManualClock,
    pub(crate) store: Store,
    pub(crate) outbox: Outbox,
    pub(crate) broker: Broker,
    pub(crate) queue: String,
    channel: Channel,
    _connection: Connection,
}

impl World {
    pub(crate) async fn new(db: Database) -> Self {
        Self::at(db, &amqp_url()).await
    }

    /// On the RabbitMQ of this URL.
    pub(crate) async fn at(db: Database, url: &str) -> Self {
        let clock = ManualClock::at(Clock::system().now());
        let store = db.open(&[Set::Messaging], clock.clock()).await;
        let broker = Broker::connect(url).await.expect("RabbitMQ");
        let queue = format!("test.dispatch.{}", new_id(clock.now()).simple());
        let connection = Connection::connect(url, ConnectionProperties::default())
            .await
            .unwrap();
        let channel = connection.create_channel().await.unwrap();
        Self {
            outbox: Outbox::new(&store),
            db,
            clock,
            store,
            broker,
            queue,
            channel,
            _connection: connection,
        }
    }

    pub(crate) async fn declared(db: Database) -> Self {
        let world = Self::new(db).await;
        let topology = Topology::new().queue(&world.queue, |q| q);
        assert!(world.broker.declare(&topology).await.unwrap().is_empty());
        world
    }

    pub(crate) fn dispatcher(&self) -> Dispatcher {
        self.broker.dispatch(&self.store)
    }

    /// One that keeps the rows until their end.
    pub(crate) fn holding(&self) -> Dispatcher {
        self.dispatcher().hold(&self.queue)
    }

    pub(crate) async fn publish(&self, count: usize) -> Vec<Uuid> {
        let mut ids = Vec::new();
        for n in 0..count {
            let envelope = Envelope::json(&self.queue, "note", &n).unwrap();
            ids.push(self.outbox.enqueue(envelope).await.unwrap().id());
        }
        ids
    }

    /// How the queue's rows stand.
    pub(crate) async fn rows(&self) -> OutboxCount {
        let counts = self
            .store
            .read("count", |tx| Box::pin(outbox::count(tx)))
            .await
            .unwrap();
        let none = OutboxCount {
            queue: self.queue.clone(),
            ready: 0,
            delayed: 0,
            in_hand: 0,
            handed: 0,
            oldest: self.clock.now(),
        };
        counts
            .into_iter()
            .find(|count| count.queue == self.queue)
            .unwrap_or(none)
    }

    pub(crate) async fn row(&self, id: Uuid) -> Option<OutboxRow> {
        self.store
            .read("row", move |tx| Box::pin(outbox::get(tx, id)))
            .await
            .unwrap()
    }

    /// Messages that lie ready on the queue.
    pub(crate) async fn depth(&self) -> u32 {
        let passive = QueueDeclareOptions {
            passive: true,
            ..QueueDeclareOptions::default()
        };
        self.channel
            .queue_declare(self.queue.as_str().into(), passive, FieldTable::default())
            .await
            .unwrap()
            .message_count()
    }

    /// Takes up to `most` messages from the queue for good: how often each id was there.
    pub(crate) async fn take(&self, most: usize) -> BTreeMap<Uuid, usize> {
        let mut seen = BTreeMap::new();
        for _ in 0..most {
            let Some(message) = self
                .channel
                .basic_get(self.queue.as_str().into(), BasicGetOptions::default())
                .await
                .unwrap()
            else {
                break;
            };
            let id = message.properties.message_id().clone().unwrap();
            *seen.entry(id.as_str().parse().unwrap()).or_default() += 1;
            message.ack(BasicAckOptions::default()).await.unwrap();
        }
        seen
    }

    pub(crate) async fn take_all(&self) -> BTreeMap<Uuid, usize> {
        self.take(usize::MAX).await
    }

    pub(crate) async fn get(&self) -> lapin::message::BasicGetMessage {
        self.channel
            .basic_get(self.queue.as_str().into(), BasicGetOptions { no_ack: true })
            .await
            .unwrap()
            .expect("a message")
    }

    pub(crate) async fn delete_queue(&self) {
        self.channel
            .queue_delete(self.queue.as_str().into(), QueueDeleteOptions::default())
            .await
            .unwrap();
    }

    /// Ends the rows of messages, as whoever handled them would.
    pub(crate) async fn handled(&self, ids: impl IntoIterator<Item = Uuid>) {
        let ids: Vec<Uuid> = ids.into_iter().collect();
        self.store
            .run_tx("end", move |tx| {
                let ids = ids.clone();
                Box::pin(async move { outbox_handed::end(tx, &ids).await })
            })
            .await
            .unwrap();
    }

    /// Handles what is there, and looks after what is missing, until every row has ended; how often each message
    /// was there.
    pub(crate) async fn drain(&self) -> BTreeMap<Uuid, usize> {
        let mut seen: BTreeMap<Uuid, usize> = BTreeMap::new();
        for _ in 0..8 {
            let there = self.take_all().await;
            self.handled(there.keys().copied()).await;
            for (id, times) in there {
                *seen.entry(id).or_default() += times;
            }
            self.later(Duration::from_secs(60));
            self.holding().run_pending().await.unwrap();
        }
        assert_eq!((self.rows().await.handed, self.depth().await), (0, 0));
        seen
    }

    pub(crate) fn later(&self, by: Duration) {
        self.clock.advance(by);
    }

    pub(crate) async fn end(self) {
        self.delete_queue().await;
    }
}
