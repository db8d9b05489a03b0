//! `sweeper`: who deletes what has expired. One instance at a time, so that two never wait for each other's rows.

use std::time::{Duration, Instant};

use uuid::Uuid;

use crate::{Error, Store, Timestamp, Tx, TxFuture};

/// Rows a transaction: about a millisecond of the database's time, so that nobody waits long for a lock, or for a core
/// that it has.
pub const BATCH: i64 = ROWS as i64;
const ROWS: u16 = 50;

/// Rows that are found at once where many may go. PostgreSQL passes by all that was deleted, and not yet vacuumed, each
/// time it looks for the oldest.
const FOUND: u16 = 10_000;

/// How long to rest between two batches of a sweep, of which the last took so long: the database is left nine tenths of
/// its time, so that whoever waits for it, or for a core beside it, seldom meets a batch.
pub fn rest_after(batch: Duration) -> Duration {
    batch * 9
}

impl Store {
    /// Runs `delete`, which deletes up to as many rows as it is told, in one transaction after another with rests between,
    /// until it finds fewer; how many rows went in all.
    ///
    /// # Errors
    /// What `delete` answers, and the store's own. What was deleted before stays deleted.
    pub async fn sweep<E, F>(&self, name: &'static str, delete: F) -> Result<u64, E>
    where
        F: for<'a> FnMut(&'a mut Tx<'_>, i64) -> TxFuture<'a, u64, E> + Clone + Send + 'static,
        E: From<Error> + Send + 'static,
    {
        let mut all = 0;
        loop {
            let (began, mut delete) = (Instant::now(), delete.clone());
            let gone = self.run_tx(name, move |tx| delete(tx, BATCH)).await?;
            all += gone;
            if gone < u64::from(ROWS) {
                return Ok(all);
            }
            tokio::time::sleep(rest_after(began.elapsed())).await;
        }
    }

    /// The same for a table of which millions of rows may expire together: `find` names up to so many that are over,
    /// and `delete` deletes those. `told` hears how many are gone.
    ///
    /// # Errors
    /// What `find` and `delete` answer, and the store's own. What was deleted before stays deleted.
    pub async fn sweep_found<K, E, F, D>(
        &self,
        name: &'static str,
        find: F,
        delete: D,
        mut told: impl FnMut(u64),
    ) -> Result<u64, E>
    where
        F: for<'a> FnMut(&'a mut Tx<'_>, i64) -> TxFuture<'a, Vec<K>, E> + Clone + Send + 'static,
        D: for<'a> FnMut(&'a mut Tx<'_>, Vec<K>) -> TxFuture<'a, u64, E> + Clone + Send + 'static,
        K: Clone + Send + 'static,
        E: From<Error> + Send + 'static,
    {
        let mut all = 0;
        loop {
            let mut find = find.clone();
            let found = self.read(name, move |tx| find(tx, i64::from(FOUND))).await?;
            for batch in found.chunks(usize::from(ROWS)) {
                let began = Instant::now();
                let (mut delete, batch) = (delete.clone(), batch.to_vec());
                all += self.run_tx(name, move |tx| delete(tx, batch.clone())).await?;
                told(all);
                tokio::time::sleep(rest_after(began.elapsed())).await;
            }
            if found.len() < usize::from(FOUND) {
                return Ok(all);
            }
        }
    }
}

/// Takes the lease until `until` if nobody else holds it and nobody came to the end of a sweep after `done_since`;
/// whether this call was the one that did.
pub async fn take(
    tx: &mut Tx<'_>,
    holder: Uuid,
    until: Timestamp,
    done_since: Timestamp,
) -> Result<bool, Error> {
    let now = tx.now();
    let rows = execute!(
        tx,
        "INSERT INTO {sweeper} AS s (only_one, holder, lease_until) VALUES (1, $1, $2)
         ON CONFLICT (only_one) DO UPDATE SET holder = excluded.holder, lease_until = excluded.lease_until
         WHERE s.lease_until <= $3 AND (s.swept_at IS NULL OR s.swept_at <= $4)",
        holder,
        until,
        now,
        done_since
    )?;
    Ok(rows == 1)
}

/// Holds the lease for longer; whether it was still held.
pub async fn renew(tx: &mut Tx<'_>, holder: Uuid, until: Timestamp) -> Result<bool, Error> {
    let rows = execute!(
        tx,
        "UPDATE {sweeper} SET lease_until = $2 WHERE only_one = 1 AND holder = $1",
        holder,
        until
    )?;
    Ok(rows == 1)
}

/// Gives the lease back, at the end of a sweep if it was `finished`; whether it was still held.
pub async fn give_back(tx: &mut Tx<'_>, holder: Uuid, finished: bool) -> Result<bool, Error> {
    let now = tx.now();
    let swept_at = finished.then_some(now);
    let rows = execute!(
        tx,
        "UPDATE {sweeper} SET lease_until = $2, swept_at = COALESCE($3, swept_at) WHERE only_one = 1 AND holder = $1",
        holder,
        now,
        swept_at
    )?;
    Ok(rows == 1)
}

/// When an instance last came to the end of a sweep.
pub async fn last(tx: &mut Tx<'_>) -> Result<Option<Timestamp>, Error> {
    let row: Option<(Option<Timestamp>,)> = fetch_optional!(
        tx,
        (Option<Timestamp>,),
        "SELECT swept_at FROM {sweeper} WHERE only_one = 1"
    )?;
    Ok(row.and_then(|(at,)| at))
}
