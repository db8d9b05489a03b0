//! Looking at queues and mending them: how full, how old, what died and why, once more or away with it.

#[cfg(feature = "store")]
mod stored;

#[cfg(feature = "store")]
use std::sync::Arc;
use std::time::Duration;

#[cfg(feature = "store")]
use gatepost_storage::{Conn, Store, Tx, TxFuture};
use uuid::Uuid;

#[cfg(feature = "store")]
use self::stored::Stored;
#[cfg(feature = "rabbitmq")]
use crate::broker::Inspector;
use crate::{Body, DeadReason, Error, Headers, Priority, Retention, Timestamp};

/// A message that nobody will try again by themselves.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct DeadLetter {
    /// The message's id.
    pub id: Uuid,
    /// The queue it was on.
    pub queue: String,
    /// What it says.
    pub kind: String,
    /// Headers.
    pub headers: Headers,
    /// What it says, whole.
    pub body: Body,
    /// How urgent it was.
    pub priority: Priority,
    /// When it was published.
    pub enqueued_at: Timestamp,
    /// After which it was worth nothing.
    pub expires_at: Option<Timestamp>,
    /// Why it is here, as a word: one of [`DeadReason`]'s.
    pub reason: String,
    /// Why it is here, in a sentence.
    pub detail: String,
    /// How many tries counted.
    pub attempts: u32,
    /// How many starts after the last of them came to no end.
    pub starts: u32,
    /// When it came here.
    pub died_at: Timestamp,
}

/// A message on a queue, looked at without taking it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Waiting {
    /// The message's id.
    pub id: Uuid,
    /// What it says.
    pub kind: String,
    /// Headers.
    pub headers: Headers,
    /// What it says, whole.
    pub body: Body,
    /// How urgent it is.
    pub priority: Priority,
    /// When it was published.
    pub enqueued_at: Timestamp,
    /// When it is handled first, or again, or when its lease ends.
    pub visible_at: Timestamp,
    /// After which it is worth nothing.
    pub expires_at: Option<Timestamp>,
    /// Whether somebody has it in hand.
    pub in_hand: bool,
    /// How many tries counted.
    pub attempts: u32,
    /// Why the last one failed.
    pub last_error: Option<String>,
}

/// How a queue stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct QueueStatus {
    /// Its name.
    pub queue: String,
    /// Messages that could be handled now.
    pub ready: u64,
    /// Messages that wait for their hour.
    pub delayed: u64,
    /// Messages that somebody has in hand; on RabbitMQ those of this process alone, as AMQP tells no more.
    pub in_hand: u64,
    /// Dead letters.
    pub dead: u64,
    /// Age of the oldest message, dead letters not counted; nothing on RabbitMQ, where looking at it would
    /// count as a delivery.
    pub oldest: Option<Duration>,
    /// How many consumers there are, of this process and others; nothing on the embedded broker.
    pub consumers: Option<u64>,
}

/// What a sweep deleted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// Ids of handled messages.
    pub handled: u64,
    /// Dedupe keys.
    pub keys: u64,
    /// Dead letters.
    pub dead: u64,
}

/// Runs in the transaction in which a message becomes a dead letter.
#[cfg(feature = "store")]
pub(crate) type DeadHook =
    Arc<dyn for<'a, 'c> Fn(&'a mut Tx<'c>, &'a DeadLetter) -> TxFuture<'a, (), Error> + Send + Sync>;

/// The queues of a broker, for people and programs that look after them.
///
/// On the embedded broker looking takes nothing. On RabbitMQ it **counts as a delivery**: AMQP has no way of
/// looking at a message but to take it and to give it back. While one looks, consumers don't see what is looked
/// at; afterwards they are told that it was delivered before, and so begin it alone (see "Messages that kill"
/// in the documents). At most 10,000 messages of a queue are looked at. Dead letters have no consumers, so
/// looking at those disturbs nobody.
#[derive(Clone, Debug)]
pub struct Queues(Kind);

#[derive(Clone, Debug)]
enum Kind {
    #[cfg(feature = "store")]
    Stored(Stored),
    #[cfg(feature = "rabbitmq")]
    Rabbit(Inspector),
}

impl Queues {
    /// The queues of a store: those of the embedded broker.
    #[cfg(feature = "store")]
    pub fn new(store: &Store) -> Self {
        Self(Kind::Stored(Stored::new(store)))
    }

    #[cfg(feature = "rabbitmq")]
    pub(crate) fn of_rabbit(inspector: Inspector) -> Self {
        Self(Kind::Rabbit(inspector))
    }

    /// Whether looking at waiting messages counts as a delivery.
    pub fn looking_counts(&self) -> bool {
        match &self.0 {
            #[cfg(feature = "store")]
            Kind::Stored(_) => false,
            #[cfg(feature = "rabbitmq")]
            Kind::Rabbit(_) => true,
        }
    }

    /// Every queue that holds a message or a dead letter. On RabbitMQ: every queue that was declared or is
    /// consumed by this process, and is there.
    ///
    /// # Errors
    /// The database's or the broker's.
    pub async fn list(&self) -> Result<Vec<QueueStatus>, Error> {
        match &self.0 {
            #[cfg(feature = "store")]
            Kind::Stored(stored) => stored.list().await,
            #[cfg(feature = "rabbitmq")]
            Kind::Rabbit(rabbit) => rabbit.list().await,
        }
    }

    /// One queue.
    ///
    /// # Errors
    /// The database's or the broker's.
    pub async fn status(&self, queue: &str) -> Result<QueueStatus, Error> {
        match &self.0 {
            #[cfg(feature = "store")]
            Kind::Stored(stored) => stored.status(queue).await,
            #[cfg(feature = "rabbitmq")]
            Kind::Rabbit(rabbit) => rabbit.status(queue).await,
        }
    }

    /// Messages of a queue in the order of their ids, which is about that in which they were published.
    ///
    /// # Errors
    /// The database's or the broker's.
    pub async fn peek(&self, queue: &str, after: Option<Uuid>, limit: u32) -> Result<Vec<Waiting>, Error> {
        match &self.0 {
            #[cfg(feature = "store")]
            Kind::Stored(stored) => stored.peek(queue, after, limit).await,
            #[cfg(feature = "rabbitmq")]
            Kind::Rabbit(rabbit) => rabbit.peek(queue, after, limit as usize).await,
        }
    }

    /// One waiting message.
    ///
    /// # Errors
    /// The database's or the broker's.
    pub async fn get(&self, queue: &str, id: Uuid) -> Result<Option<Waiting>, Error> {
        match &self.0 {
            #[cfg(feature = "store")]
            Kind::Stored(stored) => stored.get(queue, id).await,
            #[cfg(feature = "rabbitmq")]
            Kind::Rabbit(rabbit) => rabbit.get(queue, id).await,
        }
    }

    /// Dead letters of a queue in the order of their ids.
    ///
    /// # Errors
    /// The database's or the broker's.
    pub async fn dead_letters(
        &self,
        queue: &str,
        after: Option<Uuid>,
        limit: u32,
    ) -> Result<Vec<DeadLetter>, Error> {
        match &self.0 {
            #[cfg(feature = "store")]
            Kind::Stored(stored) => stored.dead_letters(queue, after, limit).await,
            #[cfg(feature = "rabbitmq")]
            Kind::Rabbit(rabbit) => rabbit.dead_letters(queue, after, limit as usize).await,
        }
    }

    /// Puts a dead letter back on its queue, under the same id and with its tries counted from nothing.
    /// One that has expired expires again. False if there is no such dead letter.
    ///
    /// # Errors
    /// The database's or the broker's.
    pub async fn replay(&self, queue: &str, id: Uuid) -> Result<bool, Error> {
        match &self.0 {
            #[cfg(feature = "store")]
            Kind::Stored(stored) => stored.replay(queue, id).await,
            #[cfg(feature = "rabbitmq")]
            Kind::Rabbit(rabbit) => rabbit.replay(queue, id).await,
        }
    }

    /// Puts back all dead letters of a queue, or those with one reason; how many.
    ///
    /// # Errors
    /// The database's or the broker's. Those put back before it stay put back.
    pub async fn replay_all(&self, queue: &str, reason: Option<DeadReason>) -> Result<u64, Error> {
        match &self.0 {
            #[cfg(feature = "store")]
            Kind::Stored(stored) => stored.replay_all(queue, reason).await,
            #[cfg(feature = "rabbitmq")]
            Kind::Rabbit(rabbit) => rabbit.replay_all(queue, reason).await,
        }
    }

    /// Deletes a dead letter for good; false if there is none.
    ///
    /// # Errors
    /// The database's or the broker's.
    pub async fn discard(&self, queue: &str, id: Uuid) -> Result<bool, Error> {
        match &self.0 {
            #[cfg(feature = "store")]
            Kind::Stored(stored) => stored.discard(queue, id).await,
            #[cfg(feature = "rabbitmq")]
            Kind::Rabbit(rabbit) => rabbit.discard(queue, id).await,
        }
    }

    /// Takes back a message that nobody has in hand, as part of the caller's transaction; false if it is
    /// not there, or somebody has it.
    ///
    /// # Errors
    /// The database's. [`Error::Invalid`] on RabbitMQ, which takes part in no transaction.
    #[cfg(feature = "store")]
    pub async fn cancel_in<'c>(
        &self,
        conn: impl Into<Conn<'c>>,
        queue: &str,
        id: Uuid,
    ) -> Result<bool, Error> {
        match &self.0 {
            Kind::Stored(stored) => stored.cancel_in(conn, queue, id).await,
            #[cfg(feature = "rabbitmq")]
            Kind::Rabbit(_) => Err(Error::Invalid {
                what: "transaction",
                why: "RabbitMQ takes part in none; use `cancel`",
            }),
        }
    }

    /// The same in a transaction of its own.
    ///
    /// # Errors
    /// The database's or the broker's.
    pub async fn cancel(&self, queue: &str, id: Uuid) -> Result<bool, Error> {
        match &self.0 {
            #[cfg(feature = "store")]
            Kind::Stored(stored) => stored.cancel(queue, id).await,
            #[cfg(feature = "rabbitmq")]
            Kind::Rabbit(rabbit) => rabbit.cancel(queue, id).await,
        }
    }

    /// Deletes what has outlived its retention. To be called now and then; a service does it by itself. On
    /// RabbitMQ that is dead letters of declared queues; what `.once` notes is in its store, whose queues are
    /// swept as well then.
    ///
    /// # Errors
    /// The database's or the broker's. What was deleted before it stays deleted.
    pub async fn sweep(&self, retention: Retention) -> Result<Swept, Error> {
        match &self.0 {
            #[cfg(feature = "store")]
            Kind::Stored(stored) => stored.sweep(retention).await,
            #[cfg(feature = "rabbitmq")]
            Kind::Rabbit(rabbit) => {
                let dead = rabbit.sweep(retention.dead).await?;
                Ok(Swept {
                    dead,
                    ..Swept::default()
                })
            }
        }
    }
}
