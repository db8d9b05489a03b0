//! `sweeper`: who deletes what has expired. One instance at a time, so that two never wait for each other's rows.

use uuid::Uuid;

use crate::{Error, Timestamp, Tx};

/// How long to rest between two batches of a sweep, of which the last took so long: the database is left nine tenths of
/// its time, so that whoever waits for it, or for a core beside it, seldom meets a batch.
pub fn rest_after(batch: std::time::Duration) -> std::time::Duration {
    batch * 9
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
