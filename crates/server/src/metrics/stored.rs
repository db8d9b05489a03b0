//! What of the metrics stands in the database and with the broker: asked for when somebody looks, at most once a
//! second however many look.

use std::time::Duration;

use gatepost_storage::outbox::{self, OutboxStage};
use gatepost_storage::{Error, Store, Timestamp, dead_letters, sweeper};
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::app::App;

/// A database or a broker that takes longer is left out.
const PATIENCE: Duration = Duration::from_secs(2);
/// `/metrics` is open to anybody who reaches it: more often than this the database is not asked.
const FRESH: Duration = Duration::from_secs(1);

/// The last reading. The lock is held while one reads: who comes meanwhile waits and gets the same.
#[derive(Debug, Default)]
pub(super) struct Cached(Mutex<Option<(Instant, Stored)>>);

/// One reading.
#[derive(Debug, Clone, Default)]
pub(super) struct Stored {
    /// Nothing if the database did not answer.
    pub(super) database: Option<InDatabase>,
    /// Queue, messages ready, dead letters, as RabbitMQ has them; empty with the embedded broker.
    pub(super) broker: Vec<(String, u64, u64)>,
}

/// What the database says.
#[derive(Debug, Clone)]
pub(super) struct InDatabase {
    pub(super) now: Timestamp,
    pub(super) stages: Vec<OutboxStage>,
    pub(super) dead: Vec<(String, i64)>,
    pub(super) last_sweep: Option<Timestamp>,
}

impl Cached {
    pub(super) async fn read(&self, app: &App) -> Stored {
        let mut last = self.0.lock().await;
        if let Some((at, stored)) = &*last
            && at.elapsed() < FRESH
        {
            return stored.clone();
        }
        let (database, broker) = tokio::join!(database(app), broker(app));
        let stored = Stored { database, broker };
        *last = Some((Instant::now(), stored.clone()));
        stored
    }
}

async fn database(app: &App) -> Option<InDatabase> {
    if !app.lifecycle.is_migrated() {
        return None;
    }
    match tokio::time::timeout(PATIENCE, ask(&app.store)).await {
        Ok(Ok(stored)) => Some(stored),
        Ok(Err(error)) => {
            tracing::debug!(%error, "the database could not be asked for metrics");
            None
        }
        Err(_) => None,
    }
}

async fn ask(store: &Store) -> Result<InDatabase, Error> {
    store
        .read("metrics", |tx| {
            Box::pin(async move {
                Ok(InDatabase {
                    now: tx.now(),
                    stages: outbox::stages(tx).await?,
                    dead: dead_letters::count(tx).await?,
                    last_sweep: sweeper::last(tx).await?,
                })
            })
        })
        .await
}

async fn broker(app: &App) -> Vec<(String, u64, u64)> {
    if !app.broker().is_rabbitmq() || !app.broker().health().connected {
        return Vec::new();
    }
    let queues = app.broker().queues();
    match tokio::time::timeout(PATIENCE, queues.list()).await {
        Ok(Ok(queues)) => queues
            .into_iter()
            .map(|status| (status.queue, status.ready, status.dead))
            .collect(),
        Ok(Err(error)) => {
            tracing::debug!(%error, "the broker could not be asked for metrics");
            Vec::new()
        }
        Err(_) => Vec::new(),
    }
}
