//! Looking at queues and mending them: how full, how old, what died and why, once more or away with it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use gatepost_storage::dead_letters::{self, DeadLetterRow};
use gatepost_storage::outbox::{self, OutboxRow};
use gatepost_storage::{Conn, Store, Timestamp, Tx, TxFuture, dedupe_keys, handled};
use uuid::Uuid;

use crate::{Body, DeadReason, Error, Headers, Priority, Retention, TOPIC};

/// Rows that one transaction of a sweep deletes at most, so that nobody waits long for it.
const SWEEP: i64 = 1000;

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

impl From<DeadLetterRow> for DeadLetter {
    fn from(row: DeadLetterRow) -> Self {
        Self {
            id: row.id,
            queue: row.queue,
            kind: row.kind,
            headers: row.headers.0,
            body: Body {
                content_type: row.content_type,
                bytes: row.body,
            },
            priority: level(row.priority),
            enqueued_at: row.enqueued_at,
            expires_at: row.expires_at,
            reason: row.reason,
            detail: row.detail,
            attempts: count(row.attempts),
            starts: count(row.starts),
            died_at: row.died_at,
        }
    }
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

impl Waiting {
    fn from_row(row: OutboxRow, now: Timestamp) -> Self {
        Self {
            id: row.id,
            kind: row.kind,
            headers: row.headers.0,
            body: Body {
                content_type: row.content_type,
                bytes: row.body,
            },
            priority: level(row.priority),
            enqueued_at: row.enqueued_at,
            visible_at: row.visible_at,
            expires_at: row.expires_at,
            in_hand: row.lease.is_some() && row.visible_at > now,
            attempts: count(row.attempts),
            last_error: row.last_error,
        }
    }
}

fn level(priority: i64) -> Priority {
    u8::try_from(priority)
        .ok()
        .and_then(Priority::new)
        .unwrap_or_default()
}

fn count(n: i64) -> u32 {
    u32::try_from(n).unwrap_or(0)
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
    /// Messages that somebody has in hand.
    pub in_hand: u64,
    /// Dead letters.
    pub dead: u64,
    /// Age of the oldest message, dead letters not counted.
    pub oldest: Option<Duration>,
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
pub(crate) type DeadHook =
    Arc<dyn for<'a, 'c> Fn(&'a mut Tx<'c>, &'a DeadLetter) -> TxFuture<'a, (), Error> + Send + Sync>;

/// The queues of a store, for people and programs that look after them. Looking takes nothing and counts
/// as no delivery.
#[derive(Clone, Debug)]
pub struct Queues {
    store: Store,
}

impl Queues {
    /// The queues of a store.
    pub fn new(store: &Store) -> Self {
        Self { store: store.clone() }
    }

    /// Every queue that holds a message or a dead letter.
    ///
    /// # Errors
    /// The database's.
    pub async fn list(&self) -> Result<Vec<QueueStatus>, Error> {
        let (now, waiting, dead) = self
            .store
            .read("list_queues", |tx| {
                Box::pin(async move {
                    let waiting = outbox::count(tx).await?;
                    Ok::<_, gatepost_storage::Error>((tx.now(), waiting, dead_letters::count(tx).await?))
                })
            })
            .await?;
        let mut queues: BTreeMap<String, QueueStatus> = BTreeMap::new();
        let number = |n: i64| u64::try_from(n).unwrap_or(0);
        for row in waiting {
            let status = queues.entry(row.queue).or_default();
            status.ready = number(row.ready);
            status.delayed = number(row.delayed);
            status.in_hand = number(row.in_hand);
            status.oldest = Some(now.since(row.oldest));
        }
        for (queue, dead) in dead {
            queues.entry(queue).or_default().dead = number(dead);
        }
        Ok(queues
            .into_iter()
            .map(|(queue, status)| QueueStatus { queue, ..status })
            .collect())
    }

    /// One queue.
    ///
    /// # Errors
    /// The database's.
    pub async fn status(&self, queue: &str) -> Result<QueueStatus, Error> {
        let found = self
            .list()
            .await?
            .into_iter()
            .find(|status| status.queue == queue);
        Ok(found.unwrap_or_else(|| QueueStatus {
            queue: queue.to_owned(),
            ..QueueStatus::default()
        }))
    }

    /// Messages of a queue in the order of their ids, which is about that in which they were published.
    ///
    /// # Errors
    /// The database's.
    pub async fn peek(&self, queue: &str, after: Option<Uuid>, limit: u32) -> Result<Vec<Waiting>, Error> {
        let queue = queue.to_owned();
        let rows = self
            .store
            .read("peek_queue", |tx| {
                Box::pin(async move { outbox::list(tx, &queue, after, i64::from(limit)).await })
            })
            .await?;
        let now = self.store.now();
        Ok(rows.into_iter().map(|row| Waiting::from_row(row, now)).collect())
    }

    /// One waiting message.
    ///
    /// # Errors
    /// The database's.
    pub async fn get(&self, queue: &str, id: Uuid) -> Result<Option<Waiting>, Error> {
        let row = self
            .store
            .read("get_message", |tx| {
                Box::pin(async move { outbox::get(tx, id).await })
            })
            .await?;
        let now = self.store.now();
        Ok(row
            .filter(|row| row.queue == queue)
            .map(|row| Waiting::from_row(row, now)))
    }

    /// Dead letters of a queue in the order of their ids.
    ///
    /// # Errors
    /// The database's.
    pub async fn dead_letters(
        &self,
        queue: &str,
        after: Option<Uuid>,
        limit: u32,
    ) -> Result<Vec<DeadLetter>, Error> {
        let queue = queue.to_owned();
        let rows = self
            .store
            .read("list_dead_letters", |tx| {
                Box::pin(async move { dead_letters::list(tx, &queue, after, i64::from(limit)).await })
            })
            .await?;
        Ok(rows.into_iter().map(DeadLetter::from).collect())
    }

    /// Puts a dead letter back on its queue, under the same id and with its tries counted from nothing.
    /// One that has expired expires again. False if there is no such dead letter.
    ///
    /// # Errors
    /// The database's.
    pub async fn replay(&self, queue: &str, id: Uuid) -> Result<bool, Error> {
        let queue = queue.to_owned();
        self.store
            .run_tx("replay_dead_letter", move |tx| {
                let queue = queue.clone();
                Box::pin(async move {
                    let won = dead_letters::replay(tx, &queue, id).await?;
                    tx.wake(TOPIC);
                    Ok(won)
                })
            })
            .await
    }

    /// Puts back all dead letters of a queue, or those with one reason; how many.
    ///
    /// # Errors
    /// The database's. Those put back before it stay put back.
    pub async fn replay_all(&self, queue: &str, reason: Option<DeadReason>) -> Result<u64, Error> {
        let (mut replayed, mut after) = (0, None);
        loop {
            let page = self.dead_letters(queue, after, 500).await?;
            let Some(last) = page.last() else {
                return Ok(replayed);
            };
            after = Some(last.id);
            for dead in page {
                if reason.is_none_or(|reason| dead.reason == reason.as_str())
                    && self.replay(queue, dead.id).await?
                {
                    replayed += 1;
                }
            }
        }
    }

    /// Deletes a dead letter for good; false if there is none.
    ///
    /// # Errors
    /// The database's.
    pub async fn discard(&self, queue: &str, id: Uuid) -> Result<bool, Error> {
        let queue = queue.to_owned();
        self.store
            .run_tx("discard_dead_letter", move |tx| {
                let queue = queue.clone();
                Box::pin(async move { Ok(dead_letters::discard(tx, &queue, id).await?) })
            })
            .await
    }

    /// Takes back a message that nobody has in hand, as part of the caller's transaction; false if it is
    /// not there, or somebody has it.
    ///
    /// # Errors
    /// The database's.
    pub async fn cancel_in<'c>(
        &self,
        conn: impl Into<Conn<'c>>,
        queue: &str,
        id: Uuid,
    ) -> Result<bool, Error> {
        let mut tx = self.store.join(conn)?;
        Ok(outbox::cancel(&mut tx, queue, id).await?)
    }

    /// The same in a transaction of its own.
    ///
    /// # Errors
    /// The database's.
    pub async fn cancel(&self, queue: &str, id: Uuid) -> Result<bool, Error> {
        let queue = queue.to_owned();
        self.store
            .run_tx("cancel_message", move |tx| {
                let queue = queue.clone();
                Box::pin(async move { Ok(outbox::cancel(tx, &queue, id).await?) })
            })
            .await
    }

    /// Deletes what has outlived its retention. To be called now and then; a service does it by itself.
    ///
    /// # Errors
    /// The database's. What was deleted before it stays deleted.
    pub async fn sweep(&self, retention: Retention) -> Result<Swept, Error> {
        let mut swept = Swept::default();
        loop {
            let turn = self
                .store
                .run_tx("sweep_messages", move |tx| {
                    Box::pin(async move {
                        let now = tx.now();
                        Ok::<_, gatepost_storage::Error>(Swept {
                            handled: handled::sweep(tx, now - retention.handled, SWEEP).await?,
                            keys: dedupe_keys::sweep(tx, SWEEP).await?,
                            dead: dead_letters::sweep(tx, now - retention.dead, SWEEP).await?,
                        })
                    })
                })
                .await?;
            swept.handled += turn.handled;
            swept.keys += turn.keys;
            swept.dead += turn.dead;
            let full = u64::try_from(SWEEP).unwrap_or(u64::MAX);
            if turn.handled < full && turn.keys < full && turn.dead < full {
                return Ok(swept);
            }
        }
    }
}
