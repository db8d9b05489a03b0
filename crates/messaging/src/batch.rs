//! Many callers who publish one message each and nothing else: one transaction and one statement for all
//! that wait.

use std::borrow::Cow;
use std::collections::HashSet;
use std::sync::{Arc, Mutex as Slot, PoisonError};
use std::time::Duration;

use gatepost_storage::outbox::{self, NewMessage};
use gatepost_storage::{Store, Tx};
use tokio::sync::{Mutex, mpsc, oneshot};

use crate::publish::{Published, row, write};
use crate::{Envelope, Error, TOPIC};

/// Messages in one transaction at most.
const BATCH: usize = 256;
/// Messages that may wait for it; who comes after waits for a place.
const WAITING: usize = 4096;
/// Bytes of bodies in one statement, about.
const STATEMENT: usize = 4 * 1024 * 1024;

struct Item {
    envelope: Envelope,
    window: Duration,
    answer: oneshot::Sender<Result<Published, Error>>,
}

/// The way to the task that writes, which is started by the first caller and ends with the last outbox.
#[derive(Debug, Default)]
pub(crate) struct Batcher(Slot<Option<mpsc::Sender<Item>>>);

impl Batcher {
    pub(crate) async fn enqueue(
        &self,
        store: &Store,
        window: Duration,
        envelope: Envelope,
    ) -> Result<Published, Error> {
        let (answer, published) = oneshot::channel();
        let sender = self.sender(store);
        sender
            .send(Item {
                envelope,
                window,
                answer,
            })
            .await
            .map_err(|_| Error::Closed)?;
        published.await.unwrap_or(Err(Error::Closed))
    }

    fn sender(&self, store: &Store) -> mpsc::Sender<Item> {
        let mut slot = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match &*slot {
            // A task whose runtime has gone is closed; the next caller starts another.
            Some(sender) if !sender.is_closed() => sender.clone(),
            _ => {
                let (sender, items) = mpsc::channel(WAITING);
                tokio::spawn(run(store.clone(), items));
                *slot = Some(sender.clone());
                sender
            }
        }
    }
}

/// What goes into a transaction: decided when it begins, and not when it is asked for. On SQLite others may come
/// before, and whoever has enqueued something by then shares the commit.
struct Batch {
    items: mpsc::Receiver<Item>,
    envelopes: Vec<(Envelope, Duration)>,
    answers: Vec<oneshot::Sender<Result<Published, Error>>>,
}

impl Batch {
    fn add(&mut self, item: Item) {
        self.envelopes.push((item.envelope, item.window));
        self.answers.push(item.answer);
    }

    fn fill(&mut self) {
        while self.envelopes.len() < BATCH
            && let Ok(item) = self.items.try_recv()
        {
            self.add(item);
        }
    }
}

async fn run(store: Store, items: mpsc::Receiver<Item>) {
    let batch = Arc::new(Mutex::new(Batch {
        items,
        envelopes: Vec::with_capacity(BATCH),
        answers: Vec::with_capacity(BATCH),
    }));
    loop {
        {
            let mut batch = batch.lock().await;
            let Some(first) = batch.items.recv().await else {
                return;
            };
            batch.add(first);
        }
        let shared = Arc::clone(&batch);
        let written = store.run_tx("enqueue_messages", move |tx| {
            let batch = Arc::clone(&shared);
            Box::pin(async move {
                let mut batch = batch.lock().await;
                batch.fill();
                write_all(tx, &batch.envelopes).await
            })
        });
        let written = written.await;
        let mut batch = batch.lock().await;
        batch.envelopes.clear();
        let answers = batch.answers.drain(..);
        match written {
            Ok(published) => {
                for (answer, published) in answers.zip(published) {
                    let _ = answer.send(Ok(published));
                }
            }
            Err(Error::Store(error)) => {
                let error = Arc::new(error);
                for answer in answers {
                    let _ = answer.send(Err(Error::Shared(Arc::clone(&error))));
                }
            }
            // Nothing in there fails otherwise; whoever waits hears that it is closed.
            Err(error) => tracing::error!(%error, "messages could not be published"),
        }
    }
}

/// Writes all; what became of each, in their order.
async fn write_all(tx: &mut Tx<'_>, envelopes: &[(Envelope, Duration)]) -> Result<Vec<Published>, Error> {
    let rows: Vec<NewMessage> = envelopes.iter().map(|(envelope, _)| row(envelope, tx)).collect();
    let mut published = Vec::with_capacity(rows.len());
    let mut inserted = HashSet::with_capacity(rows.len());
    let is_plain = |row: &NewMessage| row.dedupe_key.is_none();
    let plain = if rows.iter().all(is_plain) {
        Cow::Borrowed(rows.as_slice())
    } else {
        Cow::Owned(rows.iter().filter(|row| is_plain(row)).cloned().collect())
    };
    for chunk in chunks(&plain) {
        inserted.extend(outbox::insert_many(tx, chunk).await?);
    }
    for (row, (_, window)) in rows.iter().zip(envelopes) {
        published.push(match row.dedupe_key {
            Some(_) => write(tx, row, *window).await?,
            // Taken out, so that a second message with the same id is not new as well.
            None if inserted.remove(&row.id) => Published::New(row.id),
            None => Published::Duplicate(row.id),
        });
    }
    if published.iter().any(|p| p.is_new()) {
        tx.wake(TOPIC);
    }
    Ok(published)
}

/// Cuts where the bodies of a statement would become too many bytes.
fn chunks(rows: &[NewMessage]) -> Vec<&[NewMessage]> {
    let mut chunks = Vec::new();
    let (mut start, mut bytes) = (0, 0);
    for (i, row) in rows.iter().enumerate() {
        if bytes > 0 && bytes + row.body.len() > STATEMENT {
            chunks.push(&rows[start..i]);
            (start, bytes) = (i, 0);
        }
        bytes += row.body.len();
    }
    chunks.push(&rows[start..]);
    chunks
}
