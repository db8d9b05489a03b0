//! The queues of a database: rows, which can be looked at without taking them.

use std::collections::BTreeMap;

use gatepost_storage::dead_letters::{self, DeadLetterRow};
use gatepost_storage::outbox::{self, OutboxRow};
use gatepost_storage::{Conn, Store, Timestamp, dedupe_keys, handled};
use uuid::Uuid;

use super::{DeadLetter, QueueStatus, Swept, Waiting};
use crate::{Body, DeadReason, Error, Priority, Retention, TOPIC};

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

/// The queues of a store.
#[derive(Clone, Debug)]
pub(super) struct Stored {
    store: Store,
}

impl Stored {
    pub(super) fn new(store: &Store) -> Self {
        Self { store: store.clone() }
    }

    pub(super) async fn list(&self) -> Result<Vec<QueueStatus>, Error> {
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

    pub(super) async fn status(&self, queue: &str) -> Result<QueueStatus, Error> {
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

    pub(super) async fn peek(
        &self,
        queue: &str,
        after: Option<Uuid>,
        limit: u32,
    ) -> Result<Vec<Waiting>, Error> {
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

    pub(super) async fn get(&self, queue: &str, id: Uuid) -> Result<Option<Waiting>, Error> {
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

    pub(super) async fn dead_letters(
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

    pub(super) async fn replay(&self, queue: &str, id: Uuid) -> Result<bool, Error> {
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

    pub(super) async fn replay_all(&self, queue: &str, reason: Option<DeadReason>) -> Result<u64, Error> {
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

    pub(super) async fn discard(&self, queue: &str, id: Uuid) -> Result<bool, Error> {
        let queue = queue.to_owned();
        self.store
            .run_tx("discard_dead_letter", move |tx| {
                let queue = queue.clone();
                Box::pin(async move { Ok(dead_letters::discard(tx, &queue, id).await?) })
            })
            .await
    }

    pub(super) async fn cancel_in<'c>(
        &self,
        conn: impl Into<Conn<'c>>,
        queue: &str,
        id: Uuid,
    ) -> Result<bool, Error> {
        let mut tx = self.store.join(conn)?;
        Ok(outbox::cancel(&mut tx, queue, id).await?)
    }

    pub(super) async fn cancel(&self, queue: &str, id: Uuid) -> Result<bool, Error> {
        let queue = queue.to_owned();
        self.store
            .run_tx("cancel_message", move |tx| {
                let queue = queue.clone();
                Box::pin(async move { Ok(outbox::cancel(tx, &queue, id).await?) })
            })
            .await
    }

    pub(super) async fn sweep(&self, retention: Retention) -> Result<Swept, Error> {
        let store = &self.store;
        Ok(Swept {
            handled: store
                .sweep("sweep_handled", move |tx, limit| {
                    Box::pin(async move { handled::sweep(tx, tx.now() - retention.handled, limit).await })
                })
                .await?,
            keys: store
                .sweep("sweep_dedupe_keys", |tx, limit| {
                    Box::pin(dedupe_keys::sweep(tx, limit))
                })
                .await?,
            dead: store
                .sweep("sweep_dead_letters", move |tx, limit| {
                    Box::pin(async move { dead_letters::sweep(tx, tx.now() - retention.dead, limit).await })
                })
                .await?,
        })
    }
}
