//! What consumers and brokers hand each other: what is wanted, what arrives, and what becomes of it.

use std::sync::Arc;
use std::time::Duration;

#[cfg(feature = "store")]
use gatepost_storage::{Conn, Store, Tx};
use tokio::sync::OwnedSemaphorePermit;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

#[cfg(feature = "store")]
use super::embedded;
#[cfg(feature = "rabbitmq")]
use super::rabbitmq;
#[cfg(feature = "store")]
use crate::queues::DeadHook;
use crate::verdict::Verdict;
use crate::{Body, Error, Headers, Priority, QueueConfig, Timestamp};

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
