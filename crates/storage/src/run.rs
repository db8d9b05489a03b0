//! The one door: begin, run, commit, run again what is safe to run again, count by name.

use std::time::{Duration, Instant};

use sqlx::Connection as _;

use crate::backend::Backend;
use crate::connections::Connections;
use crate::tx::Raw;
use crate::writer::TxJob;
use crate::{Error, Store, Tx, TxFuture};

/// How often a transaction that met others is run again before the caller is told.
const RETRIES: u32 = 8;

/// Every statement of ours finds its rows by an index, a few at a time. A table that was empty when a statement was
/// prepared makes PostgreSQL think otherwise: it reads the whole table for each batch, and goes on doing so while the
/// table grows, until it is next analysed. So these ways are closed to it; with the price that it puts on a closed way,
/// it would also compile what is run once.
const BEGIN: &str = "BEGIN; SET LOCAL enable_seqscan = off; SET LOCAL enable_hashjoin = off; \
                     SET LOCAL enable_mergejoin = off; SET LOCAL jit = off";

impl Store {
    /// Runs `body` in a transaction and commits it if it answers `Ok`.
    ///
    /// `body` may be run again from the start when other transactions were in its way, so it does nothing
    /// but SQL. On SQLite it runs on the writer's task, where waiting transactions share one commit:
    /// nobody is answered before that commit, and if it fails, all of them fail.
    ///
    /// # Errors
    /// What `body` answers; or the store's own error through `E::from`.
    pub async fn run_tx<T, E, F>(&self, name: &'static str, body: F) -> Result<T, E>
    where
        F: for<'a> FnMut(&'a mut Tx<'_>) -> TxFuture<'a, T, E> + Send + 'static,
        T: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        let started = Instant::now();
        let result = match &self.shared().backend {
            Backend::Sqlite { writer, .. } => {
                let (job, answer) = TxJob::new(self.clone(), name, body);
                match writer.send(self, Box::new(job)).await {
                    Ok(()) => answer.await.unwrap_or_else(|_| Err(E::from(Error::Closed))),
                    Err(closed) => Err(E::from(closed)),
                }
            }
            // On the heap: it is large, and every future that may run a transaction, taken or not, would carry it
            // and be copied with it (a check of a token, which does so once in a rotation, by 8 KB twice a request).
            Backend::Postgres { connections, .. } => {
                Box::pin(self.run_postgres(name, connections, body)).await
            }
        };
        self.note_run(name, started, result.is_ok());
        result
    }

    async fn run_postgres<T, E, F>(
        &self,
        name: &'static str,
        connections: &Connections,
        mut body: F,
    ) -> Result<T, E>
    where
        F: for<'a> FnMut(&'a mut Tx<'_>) -> TxFuture<'a, T, E> + Send,
        E: From<Error>,
    {
        let mut tries = 0;
        loop {
            let mut held = connections.take().await.map_err(Error::from)?;
            let unasked = held.is_unasked();
            let mut conn = match held.conn().begin_with(BEGIN).await.map_err(Error::from) {
                Ok(conn) => conn,
                // Nothing was done; given back unsettled, it is asked before anybody takes it, and closed.
                Err(Error::Unavailable(error)) if unasked => {
                    tracing::debug!(%error, "a connection to PostgreSQL is gone");
                    continue;
                }
                Err(error) => return Err(E::from(error)),
            };
            let (outcome, contended, wakes) = {
                let mut tx = Tx::begin(Raw::Postgres(&mut conn), self);
                let outcome = body(&mut tx).await;
                (outcome, tx.was_contended(), tx.take_wakes())
            };
            match outcome {
                Ok(value) => match conn.commit().await.map_err(Error::from) {
                    Ok(()) => {
                        held.settled();
                        self.shared().wakes.wake(&wakes);
                        return Ok(value);
                    }
                    Err(error) if error.is_contention() && tries < RETRIES => {}
                    Err(error) => return Err(E::from(error)),
                },
                Err(error) => {
                    conn.rollback().await.map_err(Error::from)?;
                    held.settled();
                    if !contended || tries == RETRIES {
                        return Err(error);
                    }
                }
            }
            tries += 1;
            self.note_retry(name);
            tokio::time::sleep(backoff(tries)).await;
        }
    }

    /// Runs `body` on a connection without a transaction, for one statement that writes, which is a transaction of its own,
    /// and any that read: on PostgreSQL one journey in place of three. On SQLite, where transactions share a commit, and
    /// behind a pooler in transaction mode and over the caller's own pool it is [`run_tx`](Self::run_tx).
    ///
    /// The settings of transactions do not hold here: rows are to be found by primary key.
    ///
    /// # Errors
    /// What `body` answers; or the store's own error through `E::from`.
    pub async fn run_one<T, E, F>(&self, name: &'static str, body: F) -> Result<T, E>
    where
        F: for<'a> FnMut(&'a mut Tx<'_>) -> TxFuture<'a, T, E> + Send + 'static,
        T: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        let Backend::Postgres {
            connections,
            keeps_sessions: true,
            ..
        } = &self.shared().backend
        else {
            return self.run_tx(name, body).await;
        };
        if !connections.clears() {
            return self.run_tx(name, body).await;
        }
        let started = Instant::now();
        let result = Box::pin(self.run_one_postgres(name, connections, body)).await;
        self.note_run(name, started, result.is_ok());
        result
    }

    async fn run_one_postgres<T, E, F>(
        &self,
        name: &'static str,
        connections: &Connections,
        mut body: F,
    ) -> Result<T, E>
    where
        F: for<'a> FnMut(&'a mut Tx<'_>) -> TxFuture<'a, T, E> + Send,
        E: From<Error>,
    {
        let mut tries = 0;
        loop {
            let mut held = connections.take().await.map_err(Error::from)?;
            let unasked = held.is_unasked();
            let (outcome, contended, gone, wakes) = {
                let mut tx = Tx::begin(Raw::Postgres(held.conn()), self);
                let outcome = body(&mut tx).await;
                (outcome, tx.was_contended(), tx.lost_at(), tx.take_wakes())
            };
            if gone.is_none() {
                held.settled();
            }
            match outcome {
                Ok(value) => {
                    self.shared().wakes.wake(&wakes);
                    return Ok(value);
                }
                // It was dead before anything was said.
                Err(_) if gone == Some(1) && unasked => continue,
                Err(_) if contended && tries < RETRIES => {}
                Err(error) => return Err(error),
            }
            tries += 1;
            self.note_retry(name);
            tokio::time::sleep(backoff(tries)).await;
        }
    }

    fn note_run(&self, name: &'static str, started: Instant, committed: bool) {
        self.shared().counters.transaction(name, |stats| {
            if committed {
                stats.committed += 1;
            } else {
                stats.rolled_back += 1;
            }
            stats.total += started.elapsed();
        });
    }

    fn note_retry(&self, name: &'static str) {
        self.shared()
            .counters
            .transaction(name, |stats| stats.retried += 1);
    }

    /// Runs `body` on a connection without a transaction, to read; behind a pooler in transaction mode in one, since
    /// a statement may meet another connection half-way otherwise.
    ///
    /// # Errors
    /// What `body` answers; or the store's own error through `E::from`.
    pub async fn read<T, E, F>(&self, name: &'static str, body: F) -> Result<T, E>
    where
        F: for<'a> FnOnce(&'a mut Tx<'_>) -> TxFuture<'a, T, E> + Send,
        E: From<Error>,
    {
        let started = Instant::now();
        let result = match &self.shared().backend {
            // Waiting for a place is a large future, as below.
            Backend::Sqlite { readers, .. } => {
                let mut conn = Box::pin(readers.acquire()).await.map_err(Error::from)?;
                body(&mut Tx::begin(Raw::Sqlite(&mut conn), self)).await
            }
            Backend::Postgres {
                connections,
                keeps_sessions,
                ..
            } => Box::pin(self.read_postgres(connections, *keeps_sessions, body)).await,
        };
        tracing::trace!(read = name, elapsed = ?started.elapsed());
        result
    }

    async fn read_postgres<T, E, F>(
        &self,
        connections: &Connections,
        keeps_sessions: bool,
        body: F,
    ) -> Result<T, E>
    where
        F: for<'a> FnOnce(&'a mut Tx<'_>) -> TxFuture<'a, T, E> + Send,
        E: From<Error>,
    {
        let mut held = connections.take_asked().await.map_err(Error::from)?;
        if keeps_sessions {
            let (result, gone) = {
                let mut tx = Tx::begin(Raw::Postgres(held.conn()), self);
                (body(&mut tx).await, tx.lost_at())
            };
            if gone.is_none() {
                held.settled();
            }
            return result;
        }
        let mut conn = held.conn().begin().await.map_err(Error::from)?;
        let result = body(&mut Tx::begin(Raw::Postgres(&mut conn), self)).await;
        // Nothing was written, so nothing is lost by what may go wrong here.
        match conn.commit().await {
            Ok(()) => held.settled(),
            Err(error) => {
                tracing::debug!(%error, "a transaction that only read was not ended as it should be");
            }
        }
        result
    }
}

/// 1 to 2 ms, doubling: two that met once do not meet again in step.
fn backoff(tries: u32) -> Duration {
    let base = 1000_u64 << tries.min(7);
    let mut random = [0_u8; 8];
    crate::ids::fill_random(&mut random);
    Duration::from_micros(base / 2 + u64::from_le_bytes(random) % base)
}
