//! The outbox: to publish is to insert a row in the caller's transaction.

use std::sync::Arc;
use std::time::Duration;

use gatepost_storage::outbox::{self, NewMessage};
use gatepost_storage::{Conn, Store, Tx, dedupe_keys, new_id};
use uuid::Uuid;

use crate::batch::Batcher;
use crate::{Envelope, Error, Message, TOPIC};

/// What became of a message to publish.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Published {
    /// It is in the outbox, under this id.
    New(Uuid),
    /// It is not published again: a message with its dedupe key was published within the window, or its
    /// id is in the outbox already. The id of the one that stands.
    Duplicate(Uuid),
}

impl Published {
    /// The id of the message that stands.
    pub const fn id(self) -> Uuid {
        match self {
            Published::New(id) | Published::Duplicate(id) => id,
        }
    }

    /// Whether this call published it.
    pub const fn is_new(self) -> bool {
        matches!(self, Published::New(_))
    }
}

/// Publishes by writing into the database: a message exists if and only if the transaction that says so
/// commits, whatever broker delivers it. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Outbox {
    store: Store,
    window: Duration,
    batcher: Arc<Batcher>,
}

impl Outbox {
    /// The outbox of a store.
    pub fn new(store: &Store) -> Self {
        Self {
            store: store.clone(),
            window: Duration::from_secs(86400),
            batcher: Arc::default(),
        }
    }

    /// For how long a dedupe key holds its place: 24 h by default.
    #[must_use]
    pub fn with_dedupe_window(mut self, window: Duration) -> Self {
        self.window = window;
        self
    }

    /// Publishes a message as part of the caller's transaction: `&mut Tx`, or the caller's own connection
    /// (`&mut *tx` of a `sqlx::Transaction`).
    ///
    /// # Errors
    /// [`Error::Encode`], [`Error::Invalid`], [`Error::TooLarge`], or the database's.
    pub async fn publish<'c, M: Message>(
        &self,
        conn: impl Into<Conn<'c>>,
        queue: &str,
        message: &M,
    ) -> Result<Published, Error> {
        let envelope = Envelope::message(queue, message)?;
        self.publish_envelope(conn, &envelope).await
    }

    /// The same for a message with everything that travels with it.
    ///
    /// # Errors
    /// [`Error::Invalid`], [`Error::TooLarge`], or the database's.
    pub async fn publish_envelope<'c>(
        &self,
        conn: impl Into<Conn<'c>>,
        envelope: &Envelope,
    ) -> Result<Published, Error> {
        envelope.check()?;
        let mut tx = self.store.join(conn)?;
        let message = row(envelope, &tx);
        let published = write(&mut tx, &message, self.window).await?;
        if published.is_new() {
            tx.wake(TOPIC);
        }
        Ok(published)
    }

    /// Publishes in a transaction of its own. Callers that wait at the same time share one transaction and
    /// one statement, so that many of these are far cheaper than as many transactions. Answers when it is
    /// durable; dropping the future does not take the message back.
    ///
    /// # Errors
    /// [`Error::Invalid`], [`Error::TooLarge`], or the database's.
    pub async fn enqueue(&self, envelope: Envelope) -> Result<Published, Error> {
        envelope.check()?;
        self.batcher.enqueue(&self.store, self.window, envelope).await
    }

    /// Wakes consumers now. After committing a transaction of your own, which can't be seen from here:
    /// without it they are woken a few times over the next second.
    pub fn wake(&self) {
        self.store.wake(TOPIC);
    }
}

/// The row that an envelope becomes.
pub(crate) fn row(envelope: &Envelope, tx: &Tx<'_>) -> NewMessage {
    let now = tx.now();
    NewMessage {
        id: envelope.id.unwrap_or_else(|| new_id(now)),
        queue: envelope.queue.clone(),
        kind: envelope.kind.clone(),
        headers: envelope.headers.clone(),
        content_type: envelope.body.content_type.clone(),
        body: envelope.body.bytes.clone(),
        priority: i64::from(envelope.priority.level()),
        enqueued_at: now,
        visible_at: envelope.not_before.map_or(now, |at| at.max(now)),
        expires_at: envelope.expires_at,
        dedupe_key: envelope.dedupe_key.clone(),
    }
}

pub(crate) async fn write(
    tx: &mut Tx<'_>,
    message: &NewMessage,
    window: Duration,
) -> Result<Published, Error> {
    if let Some(key) = &message.dedupe_key {
        let until = tx.now() + window;
        let holder = dedupe_keys::take(tx, &message.queue, key, message.id, until).await?;
        if holder != message.id {
            return Ok(Published::Duplicate(holder));
        }
    }
    let inserted = outbox::insert(tx, message).await?;
    Ok(if inserted {
        Published::New(message.id)
    } else {
        Published::Duplicate(message.id)
    })
}
