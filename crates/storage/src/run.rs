//! The one door: begin, run, commit, run again what is safe to run again, count by name.

use std::time::{Duration, Instant};

use crate::backend::Backend;
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
        let counters = &self.shared().counters;
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
            Backend::Postgres { pool, .. } => Box::pin(self.run_postgres(name, pool, body)).await,
        };
        counters.transaction(name, |stats| {
            if result.is_ok() {
                stats.committed += 1;
            } else {
                stats.rolled_back += 1;
            }
            stats.total += started.elapsed();
        });
        result
    }

    async fn run_postgres<T, E, F>(
        &self,
        name: &'static str,
        pool: &sqlx::PgPool,
        mut body: F,
    ) -> Result<T, E>
    where
        F: for<'a> FnMut(&'a mut Tx<'_>) -> TxFuture<'a, T, E> + Send,
        E: From<Error>,
    {
        let mut tries = 0;
        loop {
            let mut conn = pool.begin_with(BEGIN).await.map_err(Error::from)?;
            let (outcome, contended, wakes) = {
                let mut tx = Tx::begin(Raw::Postgres(&mut conn), self);
                let outcome = body(&mut tx).await;
                (outcome, tx.was_contended(), tx.take_wakes())
            };
            match outcome {
                Ok(value) => match conn.commit().await.map_err(Error::from) {
                    Ok(()) => {
                        self.shared().wakes.wake(&wakes);
                        return Ok(value);
                    }
                    Err(error) if error.is_contention() && tries < RETRIES => {}
                    Err(error) => return Err(E::from(error)),
                },
                Err(error) => {
                    conn.rollback().await.map_err(Error::from)?;
                    if !contended || tries == RETRIES {
                        return Err(error);
                    }
                }
            }
            tries += 1;
            self.shared()
                .counters
                .transaction(name, |stats| stats.retried += 1);
            tokio::time::sleep(backoff(tries)).await;
        }
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
        let mut reader = self.shared().backend.reader().await?;
        let result = body(&mut Tx::begin(reader.raw(), self)).await;
        reader.end().await;
        tracing::trace!(read = name, elapsed = ?started.elapsed());
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
