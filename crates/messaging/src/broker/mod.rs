//! The broker: where consumers get their messages from. Handlers cannot tell which one it is.

pub(crate) mod broadcast;
#[cfg(feature = "store")]
mod embedded;
#[cfg(all(feature = "store", feature = "rabbitmq"))]
mod held;
#[cfg(feature = "rabbitmq")]
mod rabbitmq;
mod seam;

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

#[cfg(feature = "store")]
use gatepost_storage::Store;
use tokio::sync::watch;
use uuid::Uuid;

#[cfg(feature = "rabbitmq")]
pub(crate) use self::rabbitmq::Inspector;
#[cfg(feature = "rabbitmq")]
pub use self::rabbitmq::RabbitSettings;
pub(crate) use self::seam::{Arrival, Source, Ticket, Want};
use crate::consume::{Consumer, Handler};
use crate::{
    Body, BrokerHealth, Delivery, Drift, Envelope, Error, Message, Outcome, Outgoing, PublishError, Queues,
    Random, Route, Topology,
};

/// A message broker. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Broker {
    kind: Kind,
    topology: Arc<RwLock<Topology>>,
    random: Random,
}

#[derive(Clone, Debug)]
enum Kind {
    #[cfg(feature = "store")]
    Embedded(embedded::Embedded),
    #[cfg(feature = "rabbitmq")]
    Rabbit(rabbitmq::Rabbit),
}

impl Broker {
    /// The broker that is part of the database: consumers claim the outbox's rows on a lease.
    #[cfg(feature = "store")]
    pub fn embedded(store: &Store) -> Self {
        Self::of(Kind::Embedded(embedded::Embedded::new(store)), Arc::default())
    }

    /// A RabbitMQ that answers now: `amqp://user:password@host:5672/vhost`, or `amqps://`. See
    /// [`RabbitSettings::new`]. What happens to the connection later is seen to as with
    /// [`rabbitmq`](Self::rabbitmq).
    ///
    /// # Errors
    /// [`Error::Invalid`] for the URL; [`Error::Unreachable`] or [`Error::Refused`] if there is no first
    /// connection.
    #[cfg(feature = "rabbitmq")]
    pub async fn connect(url: &str) -> Result<Self, Error> {
        Self::connect_with(RabbitSettings::new(url)?).await
    }

    /// The same with settings.
    ///
    /// # Errors
    /// [`Error::Unreachable`] or [`Error::Refused`] if there is no first connection.
    #[cfg(feature = "rabbitmq")]
    pub async fn connect_with(settings: RabbitSettings) -> Result<Self, Error> {
        let topology = Arc::default();
        let rabbit = rabbitmq::Rabbit::new(settings, &topology);
        rabbit.first_connection().await?;
        Ok(Self::of(Kind::Rabbit(rabbit), topology))
    }

    /// A RabbitMQ, whether it can be reached now or not: connects in the background and comes back by itself,
    /// for as long as a clone of this lives. [`health`](Self::health) says how it stands.
    ///
    /// Has to be called within a tokio runtime.
    #[cfg(feature = "rabbitmq")]
    pub fn rabbitmq(settings: RabbitSettings) -> Self {
        let topology = Arc::default();
        let rabbit = rabbitmq::Rabbit::new(settings, &topology);
        Self::of(Kind::Rabbit(rabbit), topology)
    }

    fn of(kind: Kind, topology: Arc<RwLock<Topology>>) -> Self {
        Self {
            kind,
            topology,
            random: Random::system(),
        }
    }

    /// Whether this is RabbitMQ, not the embedded broker.
    pub fn is_rabbitmq(&self) -> bool {
        match &self.kind {
            #[cfg(feature = "store")]
            Kind::Embedded(_) => false,
            #[cfg(feature = "rabbitmq")]
            Kind::Rabbit(_) => true,
        }
    }

    /// How the broker stands now.
    pub fn health(&self) -> BrokerHealth {
        self.watch_health().borrow().clone()
    }

    /// How the broker stands, and every change of it.
    pub fn watch_health(&self) -> watch::Receiver<BrokerHealth> {
        match &self.kind {
            #[cfg(feature = "store")]
            Kind::Embedded(embedded) => embedded.health(),
            #[cfg(feature = "rabbitmq")]
            Kind::Rabbit(rabbit) => rabbit.health(),
        }
    }

    /// Publishes a message and waits until the broker has it safe. The id that it was given.
    ///
    /// To publish as part of a transaction is the `Outbox`'s business.
    ///
    /// # Errors
    /// [`PublishError`] says what became of it; [`PublishError::Unknown`] that it may have arrived.
    pub async fn publish<M: Message>(&self, route: Route, message: &M) -> Result<Uuid, PublishError> {
        let envelope = Envelope::message(route.key.as_str(), message)?;
        self.publish_envelope(route, &envelope).await
    }

    /// The same with everything that travels with a message. The route decides where it goes: the envelope's
    /// `queue` is not looked at. Calls at the same time share batches, so that many of these are far
    /// cheaper than one after another.
    ///
    /// A dedupe key travels along; RabbitMQ itself compares none.
    ///
    /// # Errors
    /// [`PublishError`] says what became of it; [`PublishError::Unknown`] that it may have arrived.
    pub async fn publish_envelope(&self, route: Route, envelope: &Envelope) -> Result<Uuid, PublishError> {
        match &self.kind {
            #[cfg(feature = "store")]
            Kind::Embedded(embedded) => embedded.publish(&self.topology(), route, envelope).await,
            #[cfg(feature = "rabbitmq")]
            Kind::Rabbit(rabbit) => rabbit.publish(route, envelope).await,
        }
    }

    /// Publishes many, as fast as the broker confirms them; what became of each, in their order. How many may
    /// be under way at a time is [`RabbitSettings::window`] times [`RabbitSettings::channels`]. Different
    /// messages may arrive in another order.
    pub async fn publish_batch(&self, batch: Vec<Outgoing>) -> Vec<Result<Uuid, PublishError>> {
        match &self.kind {
            #[cfg(feature = "store")]
            Kind::Embedded(embedded) => embedded.publish_batch(&self.topology(), batch).await,
            #[cfg(feature = "rabbitmq")]
            Kind::Rabbit(rabbit) => rabbit.publish_batch(batch).await,
        }
    }

    /// Puts a database beside RabbitMQ: consumers made afterwards go by its clock, and settle in its
    /// transactions and run their hooks there, unless [`Consumer::once`] or [`Consumer::held`] names another.
    /// The embedded broker has its own and ignores this.
    #[cfg(all(feature = "store", feature = "rabbitmq"))]
    #[must_use]
    pub fn with_store(mut self, store: &Store) -> Self {
        match &mut self.kind {
            Kind::Embedded(_) => {}
            Kind::Rabbit(rabbit) => rabbit.set_store(store),
        }
        self
    }

    /// Its queues, to be looked at and mended.
    pub fn queues(&self) -> Queues {
        match &self.kind {
            #[cfg(feature = "store")]
            Kind::Embedded(embedded) => Queues::new(embedded.store()),
            #[cfg(feature = "rabbitmq")]
            Kind::Rabbit(rabbit) => {
                Queues::of_rabbit(Inspector::new(rabbit.clone(), Arc::clone(&self.topology)))
            }
        }
    }

    /// Takes jitter from somewhere else, for tests.
    #[must_use]
    pub fn with_random(mut self, random: Random) -> Self {
        self.random = random;
        self
    }

    /// How often an idle consumer looks without having been woken, in case a wake-up was lost. 1 s by
    /// default. RabbitMQ's consumers are told and never look.
    #[must_use]
    pub fn with_safety_poll(mut self, every: Duration) -> Self {
        match &mut self.kind {
            #[cfg(feature = "store")]
            Kind::Embedded(embedded) => embedded.set_poll(every),
            #[cfg(feature = "rabbitmq")]
            Kind::Rabbit(_) => {
                let _ = every;
            }
        }
        self
    }

    /// Makes exchanges, queues and bindings known, and on RabbitMQ makes them stand. What is said of a queue
    /// here counts for consumers made afterwards, by every clone of this broker.
    ///
    /// What stands already is looked at first and used as it is: nothing is ever changed or deleted. The answer
    /// names each difference, which is logged as well. The embedded broker never differs.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a name that no broker takes; [`Error::Refused`] for a missing right;
    /// [`Error::Unreachable`].
    #[cfg_attr(
        not(feature = "rabbitmq"),
        expect(clippy::unused_async, reason = "the same call whichever brokers are built in")
    )]
    pub async fn declare(&self, topology: &Topology) -> Result<Drift, Error> {
        self.make_known(topology)?;
        match &self.kind {
            #[cfg(feature = "store")]
            Kind::Embedded(_) => Ok(Drift::default()),
            #[cfg(feature = "rabbitmq")]
            Kind::Rabbit(rabbit) => rabbit.declare(topology).await,
        }
    }

    /// Makes a topology known to this broker and its clones without asking RabbitMQ for it. Whatever is known
    /// is declared at each new connection, the first one that comes after this included.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a name that no broker takes.
    pub fn make_known(&self, topology: &Topology) -> Result<(), Error> {
        topology.check()?;
        self.topology
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .merge(topology);
        Ok(())
    }

    /// The queues that were declared.
    pub fn topology(&self) -> Topology {
        self.topology
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// A consumer of one type of message. What arrives on the queue and is of another type, or can't be
    /// read, becomes a dead letter (`malformed`).
    pub fn consume<M, H, F>(&self, queue: impl Into<String>, handler: H) -> Consumer
    where
        M: Message,
        H: Fn(Delivery<M>) -> F + Send + Sync + 'static,
        F: Future<Output = Outcome> + Send + 'static,
    {
        self.consumer(queue.into(), Handler::typed(handler))
    }

    /// A consumer of whatever arrives; [`Delivery::kind`] says what it is.
    pub fn consume_any<H, F>(&self, queue: impl Into<String>, handler: H) -> Consumer
    where
        H: Fn(Delivery<Body>) -> F + Send + Sync + 'static,
        F: Future<Output = Outcome> + Send + 'static,
    {
        self.consumer(queue.into(), Handler::any(handler))
    }

    fn consumer(&self, queue: String, handler: Handler) -> Consumer {
        let config = self
            .topology
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .config(&queue);
        Consumer::new(
            self.clone(),
            queue,
            Arc::new(config),
            self.random.clone(),
            handler,
        )
    }

    /// How much lies on a queue of the broker itself, if it has one of that name. The embedded broker has none.
    #[cfg(feature = "store")]
    pub(crate) async fn depth(&self, queue: &str) -> Result<Option<Depth>, Error> {
        match &self.kind {
            Kind::Embedded(_) => {
                let _ = queue;
                Ok(None)
            }
            #[cfg(feature = "rabbitmq")]
            Kind::Rabbit(rabbit) => rabbit.depth(queue).await,
        }
    }

    /// Starts to take messages.
    pub(crate) async fn open(&self, want: Want) -> Result<Source, Error> {
        match &self.kind {
            #[cfg(feature = "store")]
            Kind::Embedded(embedded) => Ok(Source::Embedded(embedded.open(want).await?)),
            #[cfg(feature = "rabbitmq")]
            Kind::Rabbit(rabbit) => Ok(Source::Rabbit(rabbit.open(want)?)),
        }
    }
}

/// What a broker says of a queue.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(not(feature = "store"), allow(dead_code, reason = "the dispatcher's"))]
pub(crate) struct Depth {
    /// Messages that could be delivered now; those in a consumer's hands are not among them.
    pub(crate) ready: u64,
    /// Consumers that take from it.
    pub(crate) consumers: u64,
}
