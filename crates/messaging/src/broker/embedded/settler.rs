//! Writes down how messages ended, all that are waiting for it in one transaction.

use std::collections::HashSet;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use gatepost_storage::outbox::Held;
use gatepost_storage::{Store, dead_letters, handled};
use tokio::sync::{mpsc, oneshot};
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

impl Task {
    async fn run(self, mut items: mpsc::UnboundedReceiver<Item>) {
        let mut batch = Vec::with_capacity(BATCH);
        while items.recv_many(&mut batch, BATCH).await > 0 {
            let mut waiting = Vec::with_capacity(batch.len());
            let mut work = Work::default();
            for Item {
                held,
                verdict,
                answer,
            } in batch.drain(..)
            {
                match (verdict, &self.on_dead) {
                    (
                        Verdict::Dead {
                            reason,
                            detail,
                            counted,
                        },
                        Some(hook),
                    ) => {
                        // The hook's writes belong to this message alone, so it has a transaction alone.
                        let verdict = Verdict::Dead {
                            reason,
                            detail,
                            counted,
                        };
                        let buried = AssertUnwindSafe(self.bury(held, verdict, hook))
                            .catch_unwind()
                            .await;
                        let buried = buried.unwrap_or(Err(gatepost_storage::Error::Panicked(BURY).into()));
                        let _ = answer.send(buried);
                    }
                    (verdict, _) => {
                        waiting.push((held.id, answer));
                        work.add(held, verdict);
                    }
                }
            }
            if !waiting.is_empty() {
                self.flush(work, waiting).await;
            }
        }
    }

    async fn flush(&self, work: Work, waiting: Vec<(Uuid, oneshot::Sender<Result<bool, Error>>)>) {
        match self.write(work).await {
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

    async fn write(&self, work: Work) -> Result<HashSet<Uuid>, gatepost_storage::Error> {
        let mut tries = 0;
        loop {
            let (work, queue, note) = (work.clone(), Arc::clone(&self.queue), self.note);
            let written = self
                .store
                .run_tx("settle_messages", move |tx| {
                    let (work, queue) = (work.clone(), Arc::clone(&queue));
                    Box::pin(async move {
                        let won = work.run(tx).await?;
                        if note {
                            // Also those whose lease was lost: they were handled all the same.
                            let done: Vec<Uuid> = work.done.iter().map(|held| held.id).collect();
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
