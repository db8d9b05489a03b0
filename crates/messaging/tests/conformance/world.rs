//! A fresh database of each kind for every test, or a queue of its own on RabbitMQ; a clock that stands still,
//! and a consumer that tells what it was given.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use gatepost_messaging::testing::no_jitter;
use gatepost_messaging::{
    Broker, Clock, Envelope, Error, Message, Outbox, Outcome, Published, Queues, RabbitSettings, Route,
    Topology,
};
use gatepost_storage::testing::{Database, ManualClock};
use gatepost_storage::{Set, Store, Timestamp};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::rabbit::{Rabbit, amqp_url, rand};

/// Runs each `async fn name(world: World)` as a test on SQLite and as one on PostgreSQL.
macro_rules! on_both {
    ($($name:ident),+ $(,)?) => {
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() { super::$name($crate::world::World::sqlite().await).await })+
        }
        mod postgres {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() { super::$name($crate::world::World::postgres().await).await })+
        }
    };
}
pub(crate) use on_both;

/// The same, and as one on RabbitMQ.
macro_rules! everywhere {
    ($($name:ident),+ $(,)?) => {
        $crate::world::on_both!($($name),+);
        mod rabbitmq {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() { super::$name($crate::world::World::rabbitmq(false).await).await })+
        }
    };
}
pub(crate) use everywhere;

/// No test waits longer for a condition than this.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Note {
    pub(crate) n: u32,
}

impl Message for Note {
    const TYPE: &'static str = "note";
}

/// A database of its own, and the clock of everything in it.
pub(crate) struct World {
    pub(crate) url: String,
    pub(crate) schema: String,
    pub(crate) clock: ManualClock,
    pub(crate) store: Store,
    pub(crate) outbox: Outbox,
    /// Of the broker.
    pub(crate) queues: Queues,
    /// Of the database, whatever the broker.
    pub(crate) rows: Queues,
    /// The queue that notes go to.
    pub(crate) queue: String,
    rabbit: Option<Rabbit>,
    db: Database,
}

impl World {
    pub(crate) async fn sqlite() -> Self {
        Self::new(Database::sqlite()).await
    }

    pub(crate) async fn postgres() -> Self {
        Self::new(Database::postgres()).await
    }

    /// A queue of its own on RabbitMQ, with a database beside it.
    pub(crate) async fn rabbitmq(classic: bool) -> Self {
        let mut world = Self::new(Database::sqlite()).await;
        world.queue = format!("gp-test-{}", Uuid::from_u128(rand()).simple());
        let broker = rabbit_broker(&world.store).await;
        let topology = Topology::new().queue(&world.queue, |q| if classic { q.classic() } else { q });
        let _ = broker.declare(&topology).await.unwrap();
        world.queues = broker.queues();
        world.rabbit = Some(Rabbit::new(broker, &world.queue));
        world
    }

    async fn new(db: Database) -> Self {
        let clock = ManualClock::at(Timestamp::from_secs(1_800_000_000));
        let store = db.open(&[Set::Messaging], clock.clock()).await;
        let (outbox, queues) = (Outbox::new(&store), Queues::new(&store));
        Self {
            url: db.url.clone(),
            schema: db.schema.clone(),
            clock,
            store,
            outbox,
            rows: queues.clone(),
            queues,
            queue: "notes".to_owned(),
            rabbit: None,
            db,
        }
    }

    pub(crate) fn is_rabbitmq(&self) -> bool {
        self.rabbit.is_some()
    }

    /// Lets time pass.
    pub(crate) async fn advance(&self, by: Duration) {
        self.clock.advance(by);
        if let Some(rabbit) = &self.rabbit {
            rabbit.flow_back(self.store.now()).await;
        }
    }

    /// Whether nothing waits anywhere, and nothing is dead.
    pub(crate) async fn is_empty(&self) -> bool {
        let list = self.queues.list().await.unwrap();
        list.iter().all(|q| q.ready + q.delayed + q.in_hand + q.dead == 0)
    }

    /// A broker as another process would have it.
    pub(crate) async fn other_broker(&self) -> Broker {
        let store = self.other_process().await;
        if self.is_rabbitmq() {
            rabbit_broker(&store).await
        } else {
            broker(&store)
        }
    }

    /// The same database as another process would have it.
    pub(crate) async fn other_process(&self) -> Store {
        self.db.open(&[Set::Messaging], self.clock.clock()).await
    }

    /// A broker without jitter, whose safety poll never comes: what it sees, it was woken for.
    pub(crate) fn broker(&self) -> Broker {
        match &self.rabbit {
            Some(rabbit) => rabbit.broker.clone(),
            None => broker(&self.store),
        }
    }

    pub(crate) async fn publish(&self, n: u32) -> Uuid {
        self.publish_envelope(note(n)).await.id()
    }

    /// Through the outbox, or straight to the other broker.
    pub(crate) async fn publish_envelope(&self, envelope: Envelope) -> Published {
        match &self.rabbit {
            None => self.outbox.enqueue(envelope).await.unwrap(),
            Some(rabbit) => {
                let route = Route::queue(&self.queue);
                Published::New(rabbit.broker.publish_envelope(route, &envelope).await.unwrap())
            }
        }
    }

    /// Publishes and commits, or rolls back.
    pub(crate) async fn publish_in_tx(&self, n: u32, commit: bool) -> Result<Published, Error> {
        let outbox = self.outbox.clone();
        self.store
            .run_tx("publish", move |tx| {
                let outbox = outbox.clone();
                Box::pin(async move {
                    let published = outbox.publish(tx, "notes", &Note { n }).await?;
                    if commit { Ok(published) } else { Err(Error::Closed) }
                })
            })
            .await
    }

    /// Handles what is there now; the numbers in the order in which they were begun.
    pub(crate) async fn drain(&self) -> Vec<u32> {
        let (log, handler) = Log::new(|_| Outcome::Done);
        let consumer = self
            .broker()
            .consume::<Note, _, _>(&self.queue, handler)
            .concurrency(1);
        consumer.run_pending().await.unwrap();
        log.numbers()
    }

    /// Waits until the queue looks as it should.
    pub(crate) async fn until_queue(
        &self,
        what: &str,
        is: impl Fn(&gatepost_messaging::QueueStatus) -> bool,
    ) {
        let met = async {
            loop {
                let status = self.queues.status(&self.queue).await.unwrap();
                if is(&status) {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        let in_time = tokio::time::timeout(PATIENCE, met).await.is_ok();
        assert!(in_time, "{what}: {:?}", self.queues.status(&self.queue).await);
    }
}

pub(crate) fn broker(store: &Store) -> Broker {
    Broker::embedded(store)
        .with_random(no_jitter())
        .with_safety_poll(Duration::from_secs(86400))
}

/// RabbitMQ with this database beside it.
async fn rabbit_broker(store: &Store) -> Broker {
    let clock = store.clone();
    let settings = RabbitSettings::new(&amqp_url())
        .unwrap()
        .name("gatepost conformance")
        .random(no_jitter())
        .clock(Clock::from_fn(move || clock.now()));
    let broker = Broker::connect_with(settings).await.unwrap();
    broker.with_random(no_jitter()).with_store(store)
}

pub(crate) fn note(n: u32) -> Envelope {
    Envelope::message("notes", &Note { n }).unwrap()
}

/// What a handler was given, in order.
#[derive(Clone, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<(u32, u32)>>>);

type Ready = std::future::Ready<Outcome>;

impl Log {
    /// A log and a handler that writes into it and answers what `answer` says of the attempt.
    pub(crate) fn new(
        answer: impl Fn(u32) -> Outcome + Send + Sync + 'static,
    ) -> (
        Self,
        impl Fn(gatepost_messaging::Delivery<Note>) -> Ready + Send + Sync + 'static,
    ) {
        let log = Self::default();
        let write = log.clone();
        let handler = move |d: gatepost_messaging::Delivery<Note>| {
            write.0.lock().unwrap().push((d.message.n, d.attempt));
            std::future::ready(answer(d.attempt))
        };
        (log, handler)
    }

    pub(crate) fn numbers(&self) -> Vec<u32> {
        self.0.lock().unwrap().iter().map(|(n, _)| *n).collect()
    }

    pub(crate) fn attempts(&self) -> Vec<u32> {
        self.0
            .lock()
            .unwrap()
            .iter()
            .map(|(_, attempt)| *attempt)
            .collect()
    }
}

/// Waits for `what`, but not for ever.
pub(crate) async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    let done = tokio::time::timeout(PATIENCE, future).await;
    done.unwrap_or_else(|_| panic!("waited too long: {what}"))
}
