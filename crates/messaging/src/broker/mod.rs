//! The broker: where consumers get their messages from. Handlers cannot tell which one it is.

pub(crate) mod broadcast;
#[cfg(feature = "store")]
mod embedded;
#[cfg(all(feature = "store", feature = "rabbitmq"))]
mod held;
#[cfg(feature = "rabbitmq")]
mod rabbitmq;

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

#[cfg(feature = "store")]
use gatepost_storage::{Conn, Store, Tx};
use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

#[cfg(feature = "rabbitmq")]
pub(crate) use self::rabbitmq::Inspector;
#[cfg(feature = "rabbitmq")]
pub use self::rabbitmq::RabbitSettings;
use crate::consume::{Consumer, Handler};
#[cfg(feature = "store")]
use crate::queues::DeadHook;
use crate::verdict::Verdict;
use crate::{
    Body, BrokerHealth, Delivery, Drift, Envelope, Error, Headers, Message, Outcome, Outgoing, Priority,
    PublishError, QueueConfig, Queues, Random, Route, Timestamp, Topology,
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

/// What a consumer wants of a broker.
pub(crate) struct Want {
    pub(crate) queue: String,
    pub(crate) config: Arc<QueueConfig>,
    /// Messages in hand at most.
    pub(crate) prefetch: usize,
    /// New ones are fetched once so many places are free.
    #[cfg_attr(
        not(feature = "store"),
        expect(dead_code, reason = "RabbitMQ sends by itself")
    )]
    pub(crate) refill: usize,
    /// Ends by itself once there is nothing left to do now.
    pub(crate) until_idle: bool,
    /// Where handled ids are noted.
    #[cfg(feature = "store")]
    pub(crate) once: Option<Store>,
    /// Where the rows of messages wait for their end.
    #[cfg(feature = "store")]
    #[cfg_attr(
        not(feature = "rabbitmq"),
        expect(dead_code, reason = "the embedded broker has nothing but rows")
    )]
    pub(crate) held: Option<Store>,
    #[cfg(feature = "store")]
    pub(crate) on_dead: Option<DeadHook>,
}

/// A message as a broker hands it over.
pub(crate) struct Arrival {
    pub(crate) id: uuid::Uuid,
    pub(crate) kind: String,
    pub(crate) headers: Headers,
    pub(crate) body: Body,
    pub(crate) priority: Priority,
    /// Counted tries before this one, and starts since then with this one.
    pub(crate) attempts: u32,
    pub(crate) starts: u32,
    pub(crate) enqueued_at: Timestamp,
    pub(crate) expires_at: Option<Timestamp>,
    /// The broker delivered it before, to this process or another.
    pub(crate) redelivered: bool,
    /// It came without an id, and was given this one here.
    pub(crate) fresh_id: bool,
    /// Noted as handled: a second copy.
    pub(crate) handled: bool,
    pub(crate) ticket: Ticket,
    /// Its place among those in hand, free again once it is settled.
    pub(crate) places: Vec<OwnedSemaphorePermit>,
}

/// Where messages come out.
pub(crate) enum Source {
    #[cfg(feature = "store")]
    Embedded(embedded::Source),
    #[cfg(feature = "rabbitmq")]
    Rabbit(rabbitmq::Source),
}

impl Source {
    /// The next message; `None` once the broker gives no more. Dropping the future loses nothing.
    pub(crate) async fn next(&mut self) -> Option<Arrival> {
        match self {
            #[cfg(feature = "store")]
            Source::Embedded(source) => source.next().await,
            #[cfg(feature = "rabbitmq")]
            Source::Rabbit(source) => source.next().await,
        }
    }

    /// Waits until the broker has heard how everything ended.
    pub(crate) async fn heard(&self) {
        match self {
            #[cfg(feature = "store")]
            Source::Embedded(_) => {}
            #[cfg(feature = "rabbitmq")]
            Source::Rabbit(source) => source.heard().await,
        }
    }

    /// Whether what is given back lies in the order in which it was given back. (Rows have their order anyhow,
    /// and are given back many at a time.)
    pub(crate) fn keeps_order(&self) -> bool {
        match self {
            #[cfg(feature = "store")]
            Source::Embedded(_) => false,
            #[cfg(feature = "rabbitmq")]
            Source::Rabbit(_) => true,
        }
    }

    /// Takes no more, and gives what is on its way and was not handed over.
    pub(crate) async fn stop(&mut self) -> Vec<Arrival> {
        match self {
            #[cfg(feature = "store")]
            Source::Embedded(source) => source.stop().await,
            #[cfg(feature = "rabbitmq")]
            Source::Rabbit(source) => source.stop().await,
        }
    }
}

/// The broker's side of one delivery.
pub(crate) enum Ticket {
    #[cfg(feature = "store")]
    Embedded(embedded::Ticket),
    #[cfg(feature = "rabbitmq")]
    Rabbit(Box<rabbitmq::Ticket>),
}

impl Ticket {
    pub(crate) fn now(&self) -> Timestamp {
        match self {
            #[cfg(feature = "store")]
            Ticket::Embedded(ticket) => ticket.now(),
            #[cfg(feature = "rabbitmq")]
            Ticket::Rabbit(ticket) => ticket.now(),
        }
    }

    #[cfg(feature = "store")]
    pub(crate) fn join<'c>(&self, conn: Conn<'c>) -> Result<Tx<'c>, Error> {
        match self {
            #[cfg(feature = "store")]
            Ticket::Embedded(ticket) => ticket.join(conn),
            #[cfg(feature = "rabbitmq")]
            Ticket::Rabbit(ticket) => ticket.join(conn),
        }
    }

    #[cfg(feature = "store")]
    pub(crate) async fn settle_in(&self, tx: &mut Tx<'_>, verdict: Verdict) -> Result<bool, Error> {
        match self {
            #[cfg(feature = "store")]
            Ticket::Embedded(ticket) => ticket.settle_in(tx, verdict).await,
            #[cfg(feature = "rabbitmq")]
            Ticket::Rabbit(ticket) => ticket.settle_in(tx, verdict).await,
        }
    }

    /// Settles many in the same transaction; says of each whether it was still ours. All of one broker.
    #[cfg(feature = "store")]
    pub(crate) async fn settle_all_in(
        tx: &mut Tx<'_>,
        tickets: Vec<(&Ticket, Verdict)>,
    ) -> Result<Vec<bool>, Error> {
        let mut rows = Vec::new();
        #[cfg(feature = "rabbitmq")]
        let mut in_hand = Vec::new();
        for (ticket, verdict) in tickets {
            match ticket {
                Ticket::Embedded(ticket) => rows.push((ticket, verdict)),
                #[cfg(feature = "rabbitmq")]
                Ticket::Rabbit(ticket) => in_hand.push((ticket.as_ref(), verdict)),
            }
        }
        #[cfg(feature = "rabbitmq")]
        if rows.is_empty() {
            return rabbitmq::Ticket::settle_all_in(tx, in_hand).await;
        }
        embedded::Ticket::settle_all_in(tx, rows).await
    }

    pub(crate) async fn settle(&self, verdict: Verdict) -> Result<bool, Error> {
        match self {
            #[cfg(feature = "store")]
            Ticket::Embedded(ticket) => ticket.settle(verdict).await,
            #[cfg(feature = "rabbitmq")]
            Ticket::Rabbit(ticket) => ticket.settle(verdict).await,
        }
    }

    pub(crate) async fn extend(&self, by: Duration) -> Result<bool, Error> {
        match self {
            #[cfg(feature = "store")]
            Ticket::Embedded(ticket) => ticket.extend(by).await,
            #[cfg(feature = "rabbitmq")]
            Ticket::Rabbit(ticket) => ticket.extend(by).await,
        }
    }

    pub(crate) fn lost(&self) -> CancellationToken {
        match self {
            #[cfg(feature = "store")]
            Ticket::Embedded(ticket) => ticket.lost(),
            #[cfg(feature = "rabbitmq")]
            Ticket::Rabbit(ticket) => ticket.lost(),
        }
    }

    /// Whether it is still this process's to begin, as far as is known without asking.
    pub(crate) fn alive(&self) -> bool {
        match self {
            #[cfg(feature = "store")]
            Ticket::Embedded(_) => true,
            #[cfg(feature = "rabbitmq")]
            Ticket::Rabbit(ticket) => ticket.alive(),
        }
    }

    /// Copies that are made of the message carry this id.
    pub(crate) fn rename(&self, id: Uuid) {
        match self {
            #[cfg(feature = "store")]
            Ticket::Embedded(_) => {
                let _ = id;
            }
            #[cfg(feature = "rabbitmq")]
            Ticket::Rabbit(ticket) => ticket.rename(id),
        }
    }

    /// The handler has settled it in a transaction of its own, which is committed.
    #[cfg(feature = "store")]
    pub(crate) async fn finish(&self) -> Result<bool, Error> {
        match self {
            Ticket::Embedded(ticket) => {
                ticket.let_go();
                Ok(true)
            }
            #[cfg(feature = "rabbitmq")]
            Ticket::Rabbit(ticket) => ticket.finish().await,
        }
    }
}
