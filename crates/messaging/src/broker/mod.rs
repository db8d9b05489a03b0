//! The broker: where consumers get their messages from. Handlers cannot tell which one it is.

mod embedded;

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use gatepost_storage::{Conn, Store, Timestamp, Tx};
use tokio::sync::OwnedSemaphorePermit;
use tokio_util::sync::CancellationToken;

use crate::consume::{Consumer, Handler};
use crate::queues::DeadHook;
use crate::verdict::Verdict;
use crate::{Body, Delivery, Error, Headers, Message, Outcome, Priority, QueueConfig, Random, Topology};

/// A message broker. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Broker {
    kind: Kind,
    topology: Arc<RwLock<Topology>>,
    random: Random,
}

#[derive(Clone, Debug)]
enum Kind {
    Embedded(embedded::Embedded),
}

impl Broker {
    /// The broker that is part of the database: consumers claim the outbox's rows on a lease.
    pub fn embedded(store: &Store) -> Self {
        Self {
            kind: Kind::Embedded(embedded::Embedded::new(store)),
            topology: Arc::default(),
            random: Random::system(),
        }
    }

    /// Takes jitter from somewhere else, for tests.
    #[must_use]
    pub fn with_random(mut self, random: Random) -> Self {
        self.random = random;
        self
    }

    /// How often an idle consumer looks without having been woken, in case a wake-up was lost. 1 s by
    /// default.
    #[must_use]
    pub fn with_safety_poll(mut self, every: Duration) -> Self {
        match &mut self.kind {
            Kind::Embedded(embedded) => embedded.set_poll(every),
        }
        self
    }

    /// Makes queues known. What is said of a queue here counts for consumers made afterwards, by every
    /// clone of this broker.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a name that no broker takes.
    pub fn declare(&self, topology: &Topology) -> Result<(), Error> {
        for queue in topology.queues() {
            crate::envelope::check_queue_name(queue)?;
        }
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

    /// Starts to take messages.
    pub(crate) async fn open(&self, want: Want) -> Result<Source, Error> {
        match &self.kind {
            Kind::Embedded(embedded) => Ok(Source::Embedded(embedded.open(want).await?)),
        }
    }
}

/// What a consumer wants of a broker.
pub(crate) struct Want {
    pub(crate) queue: String,
    pub(crate) config: Arc<QueueConfig>,
    /// Messages in hand at most.
    pub(crate) prefetch: usize,
    /// New ones are fetched once so many places are free.
    pub(crate) refill: usize,
    /// Ends by itself once there is nothing left to do now.
    pub(crate) until_idle: bool,
    /// Where handled ids are noted.
    pub(crate) once: Option<Store>,
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
    /// Noted as handled: a second copy.
    pub(crate) handled: bool,
    pub(crate) ticket: Ticket,
    /// Its place among those in hand, free again once it is settled.
    pub(crate) places: Vec<OwnedSemaphorePermit>,
}

/// Where messages come out.
pub(crate) enum Source {
    Embedded(embedded::Source),
}

impl Source {
    /// The next message; `None` once the broker gives no more. Dropping the future loses nothing.
    pub(crate) async fn next(&mut self) -> Option<Arrival> {
        match self {
            Source::Embedded(source) => source.next().await,
        }
    }

    /// Takes no more, and gives what is on its way and was not handed over.
    pub(crate) async fn stop(&mut self) -> Vec<Arrival> {
        match self {
            Source::Embedded(source) => source.stop().await,
        }
    }
}

/// The broker's side of one delivery.
pub(crate) enum Ticket {
    Embedded(embedded::Ticket),
}

impl Ticket {
    pub(crate) fn now(&self) -> Timestamp {
        match self {
            Ticket::Embedded(ticket) => ticket.now(),
        }
    }

    pub(crate) fn join<'c>(&self, conn: Conn<'c>) -> Result<Tx<'c>, Error> {
        match self {
            Ticket::Embedded(ticket) => ticket.join(conn),
        }
    }

    pub(crate) async fn settle_in(&self, tx: &mut Tx<'_>, verdict: Verdict) -> Result<bool, Error> {
        match self {
            Ticket::Embedded(ticket) => ticket.settle_in(tx, verdict).await,
        }
    }

    /// Settles many in the same transaction; says of each whether it was still ours.
    pub(crate) async fn settle_all_in(
        tx: &mut Tx<'_>,
        tickets: Vec<(&Ticket, Verdict)>,
    ) -> Result<Vec<bool>, Error> {
        let mut rows = Vec::with_capacity(tickets.len());
        for (ticket, verdict) in tickets {
            match ticket {
                Ticket::Embedded(ticket) => rows.push((ticket, verdict)),
            }
        }
        embedded::Ticket::settle_all_in(tx, rows).await
    }

    pub(crate) async fn settle(&self, verdict: Verdict) -> Result<bool, Error> {
        match self {
            Ticket::Embedded(ticket) => ticket.settle(verdict).await,
        }
    }

    pub(crate) async fn extend(&self, by: Duration) -> Result<bool, Error> {
        match self {
            Ticket::Embedded(ticket) => ticket.extend(by).await,
        }
    }

    pub(crate) fn lost(&self) -> CancellationToken {
        match self {
            Ticket::Embedded(ticket) => ticket.lost(),
        }
    }

    pub(crate) fn let_go(&self) {
        match self {
            Ticket::Embedded(ticket) => ticket.let_go(),
        }
    }
}
