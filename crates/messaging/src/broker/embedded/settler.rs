//! Writes down how messages ended, all that are waiting for it in one transaction.

use std::collections::HashSet;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use gatepost_storage::outbox::Held;
use gatepost_storage::{Store, dead_letters, handled};
use tokio::sync::{Mutex, mpsc, oneshot};
use uuid::Uuid;

use super::Work;
use crate::queues::{DeadHook, DeadLetter};
use crate::verdict::Verdict;
use crate::{DeadReason, Error};

/// Messages settled by one transaction at most.
const BATCH: usize = 512;
/// The name of the transaction in which a consumer's hook runs.
const BURY: &str = "bury_message";
/// How often a settlement is tried while the database is away. The leases run out before the last try, so
/// what is given up here is handled again, not lost.
const TRIES: u32 = 10;

struct Item {
    held: Held,
    verdict: Verdict,
    answer: oneshot::Sender<Result<bool, Error>>,
}

/// The way to the task that settles. The task ends when the last clone is gone.
#[derive(Clone)]
pub(super) struct Settler(mpsc::UnboundedSender<Item>);

impl Settler {
    pub(super) fn start(store: &Store, queue: &str, note: bool, on_dead: Option<DeadHook>) -> Self {
        let (sender, items) = mpsc::unbounded_channel();
        let task = Task {
            store: store.clone(),
            queue: queue.into(),
            note,
            on_dead,
        };
        tokio::spawn(task.run(items));
        Self(sender)
    }

    /// Settles one message; false if it was no longer ours.
    pub(super) async fn settle(&self, held: Held, verdict: Verdict) -> Result<bool, Error> {
        let (answer, settled) = oneshot::channel();
        self.0
            .send(Item {
                held,
                verdict,
                answer,
            })
            .map_err(|_| Error::Closed)?;
        settled.await.unwrap_or(Err(Error::Closed))
    }
}

struct Task {
    store: Store,
    queue: Arc<str>,
    note: bool,
    on_dead: Option<DeadHook>,
}

/// What goes into a transaction: decided when it begins, so that what ends while it waits for its turn shares it.
struct Batch {
    items: mpsc::UnboundedReceiver<Item>,
    hooked: bool,
    work: Work,
    waiting: Vec<(Uuid, oneshot::Sender<Result<bool, Error>>)>,
    /// A hook's writes belong to its message alone, so each of these has a transaction alone.
    alone: Vec<Item>,
}

impl Batch {
    fn add(&mut self, item: Item) {
        if self.hooked && matches!(item.verdict, Verdict::Dead { .. }) {
            self.alone.push(item);
        } else {
            self.waiting.push((item.held.id, item.answer));
            self.work.add(item.held, item.verdict);
        }
    }

    fn fill(&mut self) {
        while self.waiting.len() + self.alone.len() < BATCH
            && let Ok(item) = self.items.try_recv()
        {
            self.add(item);
        }
    }
}

impl Task {
    async fn run(self, items: mpsc::UnboundedReceiver<Item>) {
        let batch = Arc::new(Mutex::new(Batch {
            items,
            hooked: self.on_dead.is_some(),
            work: Work::default(),
            waiting: Vec::new(),
            alone: Vec::new(),
        }));
        loop {
            {
                let mut batch = batch.lock().await;
                let Some(first) = batch.items.recv().await else {
                    return;
                };
                batch.add(first);
                batch.fill();
            }
            self.flush(&batch).await;
            let alone = std::mem::take(&mut batch.lock().await.alone);
            self.bury_all(alone).await;
        }
    }

    async fn flush(&self, batch: &Arc<Mutex<Batch>>) {
        if batch.lock().await.waiting.is_empty() {
            return;
        }
        let written = self.write(batch).await;
        let mut batch = batch.lock().await;
        batch.work = Work::default();
        let waiting = batch.waiting.drain(..);
        match written {
            Ok(won) => {
                for (id, answer) in waiting {
                    let _ = answer.send(Ok(won.contains(&id)));
                }
            }
            Err(error) => {
                let error = Arc::new(error);
                for (_, answer) in waiting {
                    let _ = answer.send(Err(Error::Shared(Arc::clone(&error))));
                }
            }
        }
    }

    async fn write(&self, batch: &Arc<Mutex<Batch>>) -> Result<HashSet<Uuid>, gatepost_storage::Error> {
        let mut tries = 0;
        loop {
            let (batch, queue, note) = (Arc::clone(batch), Arc::clone(&self.queue), self.note);
            let written = self
                .store
                .run_tx("settle_messages", move |tx| {
                    let (batch, queue) = (Arc::clone(&batch), Arc::clone(&queue));
                    Box::pin(async move {
                        let mut batch = batch.lock().await;
                        batch.fill();
                        let won = batch.work.run(tx).await?;
                        if note {
                            // Also those whose lease was lost: they were handled all the same.
                            let done: Vec<Uuid> = batch.work.done.iter().map(|held| held.id).collect();
                            handled::note(tx, &queue, &done).await?;
                        }
                        Ok(won)
                    })
                })
                .await;
            match written {
                Ok(won) => return Ok(won.into_iter().collect()),
                Err(error) => {
                    let error: gatepost_storage::Error = error;
                    tries += 1;
                    if !error.is_transient() || tries == TRIES {
                        return Err(error);
                    }
                    tracing::warn!(%error, tries, "messages could not be settled, trying again");
                }
            }
            tokio::time::sleep(Duration::from_millis(50 << tries.min(6))).await;
        }
    }

    async fn bury_all(&self, items: Vec<Item>) {
        let Some(hook) = &self.on_dead else { return };
        for item in items {
            let buried = AssertUnwindSafe(self.bury(item.held, item.verdict, hook))
                .catch_unwind()
                .await;
            let buried = buried.unwrap_or(Err(gatepost_storage::Error::Panicked(BURY).into()));
            let _ = item.answer.send(buried);
        }
    }

    /// Buries one message together with what the consumer's hook writes about it.
    async fn bury(&self, held: Held, verdict: Verdict, hook: &DeadHook) -> Result<bool, Error> {
        if let Verdict::Dead {
            reason: DeadReason::CrashLoop,
            ..
        } = &verdict
        {
            tracing::error!(queue = %self.queue, id = %held.id, "a message was given up: nobody who began it came to an end");
        }
        let (hook, queue) = (Arc::clone(hook), Arc::clone(&self.queue));
        self.store
            .run_tx(BURY, move |tx| {
                let (hook, queue, verdict) = (Arc::clone(&hook), Arc::clone(&queue), verdict.clone());
                Box::pin(async move {
                    let mut work = Work::default();
                    work.add(held, verdict);
                    if work.run(tx).await?.is_empty() {
                        return Ok(false);
                    }
                    if let Some(row) = dead_letters::get(tx, &queue, held.id).await? {
                        hook(tx, &DeadLetter::from(row)).await?;
                    }
                    Ok(true)
                })
            })
            .await
    }
}
