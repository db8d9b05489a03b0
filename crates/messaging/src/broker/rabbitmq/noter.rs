//! Notes the ids of handled messages, all that are waiting for it in one transaction.

use std::sync::Arc;
use std::time::Duration;

use gatepost_storage::{Store, handled};
use tokio::sync::{mpsc, oneshot};
use uuid::Uuid;

use crate::Error;

/// Ids noted by one transaction at most.
const BATCH: usize = 512;
/// How often it is tried while the database is away.
const TRIES: u32 = 10;

struct Item {
    id: Uuid,
    answer: oneshot::Sender<Result<(), Error>>,
}

/// The way to the task that notes. The task ends when the last clone is gone.
#[derive(Clone)]
pub(super) struct Noter(mpsc::UnboundedSender<Item>);

impl Noter {
    pub(super) fn start(store: &Store, queue: &Arc<str>) -> Self {
        let (sender, items) = mpsc::unbounded_channel();
        tokio::spawn(run(store.clone(), Arc::clone(queue), items));
        Self(sender)
    }

    /// Notes one id.
    pub(super) async fn note(&self, id: Uuid) -> Result<(), Error> {
        let (answer, noted) = oneshot::channel();
        self.0.send(Item { id, answer }).map_err(|_| Error::Closed)?;
        noted.await.unwrap_or(Err(Error::Closed))
    }
}

async fn run(store: Store, queue: Arc<str>, mut items: mpsc::UnboundedReceiver<Item>) {
    let mut batch = Vec::with_capacity(BATCH);
    while items.recv_many(&mut batch, BATCH).await > 0 {
        let ids: Arc<[Uuid]> = batch.iter().map(|item| item.id).collect();
        let noted = write(&store, &queue, &ids).await.map_err(Arc::new);
        for item in batch.drain(..) {
            let answer = noted.clone().map_err(Error::Shared);
            let _ = item.answer.send(answer);
        }
    }
}

async fn write(store: &Store, queue: &Arc<str>, ids: &Arc<[Uuid]>) -> Result<(), gatepost_storage::Error> {
    let mut tries = 0;
    loop {
        let (queue, ids) = (Arc::clone(queue), Arc::clone(ids));
        let noted = store.run_tx("note_handled_messages", move |tx| {
            let (queue, ids) = (Arc::clone(&queue), Arc::clone(&ids));
            Box::pin(async move { handled::note(tx, &queue, &ids).await })
        });
        let error: gatepost_storage::Error = match noted.await {
            Ok(_) => return Ok(()),
            Err(error) => error,
        };
        tries += 1;
        if !error.is_transient() || tries == TRIES {
            return Err(error);
        }
        tracing::warn!(%error, tries, "handled messages could not be noted, trying again");
        tokio::time::sleep(Duration::from_millis(50 << tries.min(6))).await;
    }
}
