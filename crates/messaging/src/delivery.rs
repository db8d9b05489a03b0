//! A message in a handler's hands.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

#[cfg(feature = "store")]
use gatepost_storage::Conn;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::broker::Ticket;
use crate::verdict::{Facts, Verdict, decide};
use crate::{Error, Headers, Outcome, Priority, QueueConfig, Random, Timestamp};

/// A message in a handler's hands.
#[derive(Debug)]
#[non_exhaustive]
pub struct Delivery<M> {
    /// The message's id, the same in every try and every copy.
    pub id: Uuid,
    /// The queue it came from.
    pub queue: String,
    /// What it says: [`Message::TYPE`](crate::Message::TYPE).
    pub kind: String,
    /// Headers.
    pub headers: Headers,
    /// How urgent it is.
    pub priority: Priority,
    /// The try: 1 is the first. Tries whose process died count here as well.
    pub attempt: u32,
    /// When it was published.
    pub enqueued_at: Timestamp,
    /// After which it is worth nothing.
    pub expires_at: Option<Timestamp>,
    /// It was delivered before, here or elsewhere, as RabbitMQ says, or may have been: of a message without an id that is
    /// not known after the broker was away. Whether it was begun is not known. Always
    /// false on the embedded broker, where [`attempt`](Self::attempt) tells.
    pub redelivered: bool,
    /// It came without an id, from a publisher that gives none, and was given this one here: delivered again
    /// it may have another, until [`Ack::rename`] has said that this one is kept. Always false on the embedded broker.
    pub fresh_id: bool,
    /// What it says.
    pub message: M,
    pub(crate) ack: Ack,
}

impl<M> Delivery<M> {
    /// Whether a `Retry` now would make it a dead letter.
    pub fn last_attempt(&self) -> bool {
        self.ack.0.facts.last_attempt(&self.ack.0.config)
    }

    /// The handle by which it is acknowledged inside a transaction; cheap to clone into closures.
    pub fn ack(&self) -> Ack {
        self.ack.clone()
    }

    pub(crate) fn with_message<N>(self, message: N) -> Delivery<N> {
        let Delivery {
            id,
            queue,
            kind,
            headers,
            priority,
            attempt,
            enqueued_at,
            expires_at,
            redelivered,
            fresh_id,
            message: _,
            ack,
        } = self;
        Delivery {
            id,
            queue,
            kind,
            headers,
            priority,
            attempt,
            enqueued_at,
            expires_at,
            redelivered,
            fresh_id,
            message,
            ack,
        }
    }
}

/// Acknowledges one delivery, also as part of a transaction of the handler's.
#[derive(Clone)]
pub struct Ack(Arc<Inner>);

struct Inner {
    ticket: Ticket,
    facts: Facts,
    config: Arc<QueueConfig>,
    random: Random,
    settled: Mutex<Option<Outcome>>,
}

impl Ack {
    pub(crate) fn new(ticket: Ticket, facts: Facts, config: Arc<QueueConfig>, random: Random) -> Self {
        Self(Arc::new(Inner {
            ticket,
            facts,
            config,
            random,
            settled: Mutex::default(),
        }))
    }

    /// Is done with the message as part of the caller's transaction: what the handler wrote there and the
    /// message's end commit together or not at all. The handler then returns [`Outcome::Done`].
    ///
    /// False if the message is no longer this delivery's, because its lease ran out and somebody else has
    /// it: roll back, or a second handling follows a committed first.
    ///
    /// # Errors
    /// The database's, or a connection of another database.
    #[cfg(feature = "store")]
    pub async fn done_in<'c>(&self, conn: impl Into<Conn<'c>>) -> Result<bool, Error> {
        self.settle_in(conn, &Outcome::Done).await
    }

    /// The same for any outcome: a retry or a dead letter that commits with what the handler wrote. The
    /// handler then returns the same outcome; the consumer sees that it is settled.
    ///
    /// # Errors
    /// The database's, or a connection of another database.
    #[cfg(feature = "store")]
    pub async fn settle_in<'c>(&self, conn: impl Into<Conn<'c>>, outcome: &Outcome) -> Result<bool, Error> {
        let inner = &self.0;
        let mut tx = inner.ticket.join(conn.into())?;
        let verdict = decide(outcome, inner.facts, &inner.config, &inner.random, tx.now());
        let won = inner.ticket.settle_in(&mut tx, verdict).await?;
        if won {
            *inner.settled.lock().unwrap_or_else(PoisonError::into_inner) = Some(outcome.clone());
        }
        Ok(won)
    }

    /// The same for many messages at once, in a few statements however many they are; says of each whether
    /// it was still its delivery's. All of one broker.
    ///
    /// # Errors
    /// The database's, or a connection of another database.
    #[cfg(feature = "store")]
    pub async fn settle_all_in<'c>(
        conn: impl Into<Conn<'c>>,
        items: &[(Ack, Outcome)],
    ) -> Result<Vec<bool>, Error> {
        let Some((first, _)) = items.first() else {
            return Ok(Vec::new());
        };
        let mut tx = first.0.ticket.join(conn.into())?;
        let now = tx.now();
        let verdicts = items.iter().map(|(ack, outcome)| {
            let inner = &ack.0;
            let verdict = decide(outcome, inner.facts, &inner.config, &inner.random, now);
            (&inner.ticket, verdict)
        });
        let won = Ticket::settle_all_in(&mut tx, verdicts.collect()).await?;
        for ((ack, outcome), won) in items.iter().zip(&won) {
            if *won {
                *ack.0.settled.lock().unwrap_or_else(PoisonError::into_inner) = Some(outcome.clone());
            }
        }
        Ok(won)
    }

    /// Makes the lease end `by` from now at the earliest. Leases renew by themselves while a handler runs;
    /// this is for one that needs to be sure of more at once. False if the message is no longer this
    /// delivery's.
    ///
    /// # Errors
    /// The database's.
    pub async fn extend(&self, by: Duration) -> Result<bool, Error> {
        self.0.ticket.extend(by).await
    }

    /// Cancelled when the lease is lost: somebody else may have the message now.
    pub fn lease_lost(&self) -> CancellationToken {
        self.0.ticket.lost()
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.0.ticket.now()
    }

    /// What the handler settled in a transaction of its own, if it did.
    pub(crate) fn settled(&self) -> Option<Outcome> {
        self.0
            .settled
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Settles by a handler's outcome; false if the message was no longer this delivery's.
    pub(crate) async fn settle(&self, outcome: &Outcome) -> Result<bool, Error> {
        let inner = &self.0;
        let verdict = decide(
            outcome,
            inner.facts,
            &inner.config,
            &inner.random,
            inner.ticket.now(),
        );
        self.close(verdict).await
    }

    /// Settles by a verdict that needed no handler.
    pub(crate) async fn close(&self, verdict: Verdict) -> Result<bool, Error> {
        self.0.ticket.settle(verdict).await
    }

    /// Copies that the broker makes of the message from now on (for its next try, for the dead letters) carry
    /// this id: for one that came [without](Delivery::fresh_id) and was recognised. The embedded broker makes no
    /// copies.
    pub fn rename(&self, id: Uuid) {
        self.0.ticket.rename(id);
    }

    /// Whether the message is still ours to begin, as far as is known without asking.
    pub(crate) fn alive(&self) -> bool {
        self.0.ticket.alive()
    }

    /// The handler has settled it in a transaction of its own and says so; false if the broker has taken it
    /// back meanwhile.
    #[cfg(feature = "store")]
    pub(crate) async fn finish(&self) -> Result<bool, Error> {
        self.0.ticket.finish().await
    }
}

impl fmt::Debug for Ack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ack")
            .field("settled", &self.settled())
            .finish_non_exhaustive()
    }
}
