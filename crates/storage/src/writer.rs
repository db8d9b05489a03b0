//! SQLite's one writer. A commit is an fsync, so transactions that wait at the same time share one: each
//! runs in a savepoint of its own, and nobody is answered before the outer commit.

use std::collections::VecDeque;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions, Connection};
use tokio::sync::{mpsc, oneshot};

use crate::tx::Raw;
use crate::wake::Hub;
use crate::{Error, Store, Tx, TxFuture};

/// Transactions that share a commit at most. More gain nothing and make the first wait.
const BATCH: usize = 128;
/// Transactions that may wait for the writer; whoever comes after waits for a place.
const QUEUE: usize = 4096;
/// The file is left alone for a quarter of the time while more are waiting, or a second process never gets the
/// lock: SQLite's busy handler only looks now and then, eleven times in the first 180 ms.
const WORK_TO_REST: u32 = 3;
/// For how long at once, about.
const REST: Duration = Duration::from_millis(1);
/// How often the writer looks whether another process has committed.
const LOOK: Duration = Duration::from_millis(50);

/// What the writer runs: a transaction's closure and where its answer goes.
pub(crate) trait Job: Send {
    fn store(&self) -> &Store;
    /// Runs the closure; whether its work is to be kept.
    fn run<'a>(&'a mut self, tx: &'a mut Tx<'_>) -> BoxFuture<'a, bool>;
    fn panicked(&mut self);
    /// Answers the caller: with what the closure said if the commit held, else with the commit's error.
    fn answer(self: Box<Self>, commit: Result<(), Error>);
}

pub(crate) struct TxJob<F, T, E> {
    store: Store,
    name: &'static str,
    body: F,
    outcome: Option<Result<T, E>>,
    answer: oneshot::Sender<Result<T, E>>,
}

impl<F, T, E> TxJob<F, T, E> {
    pub(crate) fn new(store: Store, name: &'static str, body: F) -> (Self, oneshot::Receiver<Result<T, E>>) {
        let (answer, receiver) = oneshot::channel();
        (
            Self {
                store,
                name,
                body,
                outcome: None,
                answer,
            },
            receiver,
        )
    }
}

impl<F, T, E> Job for TxJob<F, T, E>
where
    F: for<'a> FnMut(&'a mut Tx<'_>) -> TxFuture<'a, T, E> + Send,
    T: Send,
    E: From<Error> + Send,
{
    fn store(&self) -> &Store {
        &self.store
    }

    fn run<'a>(&'a mut self, tx: &'a mut Tx<'_>) -> BoxFuture<'a, bool> {
        Box::pin(async move {
            let outcome = (self.body)(tx).await;
            let keep = outcome.is_ok();
            self.outcome = Some(outcome);
            keep
        })
    }

    fn panicked(&mut self) {
        self.outcome = Some(Err(E::from(Error::Panicked(self.name))));
    }

    fn answer(self: Box<Self>, commit: Result<(), Error>) {
        let answer = match (commit, self.outcome) {
            (_, Some(Err(own))) => Err(own),
            (Ok(()), Some(Ok(value))) => Ok(value),
            (Err(error), _) => Err(E::from(error)),
            (Ok(()), None) => Err(E::from(Error::Closed)),
        };
        // The caller may have gone; its transaction was cut by nothing and stays.
        let _ = self.answer.send(answer);
    }
}

/// The way to the writer's task, which is started by the first transaction.
#[derive(Debug)]
pub(crate) struct Writer {
    options: SqliteConnectOptions,
    jobs: OnceLock<mpsc::Sender<Box<dyn Job>>>,
}

impl Writer {
    pub(crate) fn new(options: SqliteConnectOptions) -> Self {
        Self {
            options,
            jobs: OnceLock::new(),
        }
    }

    pub(crate) fn options(&self) -> &SqliteConnectOptions {
        &self.options
    }

    /// Starts the task if it does not run yet, so that other processes' commits are noticed.
    pub(crate) fn start(&self, wakes: &Arc<Hub>) -> &mpsc::Sender<Box<dyn Job>> {
        self.jobs.get_or_init(|| {
            let (sender, receiver) = mpsc::channel(QUEUE);
            let task = Task {
                options: self.options.clone(),
                conn: None,
                seen: None,
                wakes: Arc::clone(wakes),
            };
            tokio::spawn(task.run(receiver));
            sender
        })
    }

    pub(crate) async fn send(&self, store: &Store, job: Box<dyn Job>) -> Result<(), Error> {
        let sender = self.start(&store.shared().wakes);
        sender.send(job).await.map_err(|_| Error::Closed)
    }
}

struct Task {
    options: SqliteConnectOptions,
    conn: Option<SqliteConnection>,
    /// `PRAGMA data_version` when last looked: it changes when others commit, not when we do.
    seen: Option<i64>,
    wakes: Arc<Hub>,
}

impl Task {
    async fn run(mut self, mut jobs: mpsc::Receiver<Box<dyn Job>>) {
        let mut looks = tokio::time::interval(LOOK);
        looks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut owed = Duration::ZERO;
        let mut ended = Instant::now();
        loop {
            let first = tokio::select! {
                biased;
                job = jobs.recv() => job,
                _ = looks.tick() => {
                    self.look_for_others().await;
                    continue;
                }
            };
            // All senders gone: the store was dropped.
            let Some(first) = first else { break };
            let mut batch = VecDeque::with_capacity(BATCH);
            batch.push_back(first);
            while batch.len() < BATCH
                && let Ok(next) = jobs.try_recv()
            {
                batch.push_back(next);
            }
            let began = Instant::now();
            owed = owed.saturating_sub(began - ended);
            self.commit(batch).await;
            ended = Instant::now();
            owed += (ended - began) / WORK_TO_REST;
            if owed >= REST && !jobs.is_empty() {
                tokio::time::sleep(REST).await;
            }
        }
        if let Some(conn) = self.conn.take()
            && let Err(error) = conn.close().await
        {
            tracing::debug!(%error, "the writer's connection did not close cleanly");
        }
    }

    /// Runs `batch` and commits it as one.
    async fn commit(&mut self, mut batch: VecDeque<Box<dyn Job>>) {
        let result = self.try_commit(&mut batch).await;
        if let Err(error) = &result {
            // The connection may be in the middle of anything: the next batch gets a new one, and
            // dropping this one rolls back.
            self.conn = None;
            self.seen = None;
            if batch.len() > 1 {
                tracing::warn!(%error, transactions = batch.len(), "a shared commit failed; nothing of it was kept");
            }
        }
        match result {
            Ok(wakes) => {
                self.wakes.wake(&wakes);
                for job in batch {
                    job.answer(Ok(()));
                }
            }
            Err(error) if batch.len() == 1 => {
                if let Some(job) = batch.pop_front() {
                    job.answer(Err(Error::from(error)));
                }
            }
            Err(error) => {
                let shared = Arc::new(Error::from(error));
                for job in batch {
                    job.answer(Err(Error::Commit(Arc::clone(&shared))));
                }
            }
        }
    }

    async fn try_commit(
        &mut self,
        batch: &mut VecDeque<Box<dyn Job>>,
    ) -> Result<Vec<&'static str>, sqlx::Error> {
        let mut conn = match self.conn.take() {
            Some(conn) => conn,
            None => self.options.connect().await?,
        };
        let last = batch.len() - 1;
        let mut wakes: Vec<&'static str> = Vec::new();
        // Each statement crosses to the thread that SQLite runs on, so what can be said together is.
        statement(
            &mut conn,
            if last == 0 {
                "BEGIN IMMEDIATE"
            } else {
                "BEGIN IMMEDIATE; SAVEPOINT one"
            },
        )
        .await?;
        for (nth, job) in batch.iter_mut().enumerate() {
            let kept = {
                let store = job.store().clone();
                let mut tx = Tx::begin(Raw::Sqlite(&mut conn), &store);
                let ran = AssertUnwindSafe(job.run(&mut tx)).catch_unwind().await;
                let topics = tx.take_wakes();
                match ran {
                    Ok(true) => {
                        for topic in topics {
                            if !wakes.contains(&topic) {
                                wakes.push(topic);
                            }
                        }
                        true
                    }
                    Ok(false) => false,
                    Err(_) => {
                        job.panicked();
                        false
                    }
                }
            };
            let end = match (kept, nth == last) {
                // What is rolled back to stays, for the next one.
                (true, false) => "RELEASE one; SAVEPOINT one",
                (false, false) => "ROLLBACK TO one",
                (true, true) => "COMMIT",
                (false, true) if last == 0 => "ROLLBACK",
                (false, true) => "ROLLBACK TO one; COMMIT",
            };
            statement(&mut conn, end).await?;
        }
        self.conn = Some(conn);
        Ok(wakes)
    }

    /// Wakes everybody if another process has committed since the last look.
    async fn look_for_others(&mut self) {
        let mut conn = match self.conn.take() {
            Some(conn) => conn,
            None => match self.options.connect().await {
                Ok(conn) => conn,
                // The next transaction will meet the same and tell its caller.
                Err(_) => return,
            },
        };
        let version = sqlx::query_as::<_, (i64,)>("PRAGMA data_version")
            .fetch_one(&mut conn)
            .await;
        if let Ok((version,)) = version {
            if self.seen.replace(version).is_some_and(|seen| seen != version) {
                self.wakes.wake_all_here();
            }
            self.conn = Some(conn);
        }
    }
}

async fn statement(conn: &mut SqliteConnection, sql: &'static str) -> Result<(), sqlx::Error> {
    sqlx::raw_sql(sql).execute(conn).await.map(|_| ())
}
