//! `event_cursors`: who is told of events one after another (a webhook, an exchange), and how far they are.
//!
//! A cursor is held on a lease by the one process that tells; every change names the lease and says whether it was
//! still theirs.

use uuid::Uuid;

use crate::{Error, Timestamp, Tx};

/// One row of `event_cursors`.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct CursorRow {
    /// Who is told: `webhook:crm`.
    pub name: String,
    /// The number of the last event that needs no telling any more.
    pub position: i64,
    /// Until when one process tells.
    pub lease_until: Timestamp,
    /// Failed tries of the next event.
    pub attempts: i64,
    /// Since when it has been failing.
    pub failing_since: Option<Timestamp>,
    /// When it is tried again.
    pub next_try_at: Option<Timestamp>,
    /// Why it failed last.
    pub last_error: Option<String>,
    /// Events told so far.
    pub delivered: i64,
    /// Events that were given up.
    pub given_up: i64,
    /// When one was last told.
    pub delivered_at: Option<Timestamp>,
}

/// What to write when a cursor moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Moved {
    /// How far it is now.
    pub position: i64,
    /// Events told since.
    pub delivered: i64,
    /// Events given up since.
    pub given_up: i64,
    /// The receiver goes on failing: since when and when it is tried again stay.
    pub still_failing: bool,
}

/// Takes a cursor until `until`; none if another process has it. One that is new begins at the end: what happened
/// before is not told.
pub async fn claim(
    tx: &mut Tx<'_>,
    name: &str,
    lease: Uuid,
    until: Timestamp,
) -> Result<Option<CursorRow>, Error> {
    let now = tx.now();
    execute!(
        tx,
        "INSERT INTO {event_cursors} (name, position, lease_until)
         SELECT $1, last, $2 FROM {event_numbers} WHERE only_one = 1 ON CONFLICT DO NOTHING",
        name,
        now
    )?;
    fetch_optional!(
        tx,
        CursorRow,
        "UPDATE {event_cursors} SET lease = $2, lease_until = $3
         WHERE name = $1 AND (lease IS NULL OR lease = $2 OR lease_until <= $4) RETURNING *",
        name,
        lease,
        until,
        now
    )
}

/// Keeps a cursor for longer; false if it is no longer ours.
pub async fn renew(tx: &mut Tx<'_>, name: &str, lease: Uuid, until: Timestamp) -> Result<bool, Error> {
    let n = execute!(
        tx,
        "UPDATE {event_cursors} SET lease_until = $3 WHERE name = $1 AND lease = $2",
        name,
        lease,
        until
    )?;
    Ok(n == 1)
}

/// Gives a cursor back, so that another process need not wait for the lease to end.
pub async fn release(tx: &mut Tx<'_>, name: &str, lease: Uuid) -> Result<(), Error> {
    execute!(
        tx,
        "UPDATE {event_cursors} SET lease = NULL WHERE name = $1 AND lease = $2",
        name,
        lease
    )?;
    Ok(())
}

/// Moves a cursor on; false if it is no longer ours.
pub async fn advance(tx: &mut Tx<'_>, name: &str, lease: Uuid, moved: Moved) -> Result<bool, Error> {
    let now = tx.now();
    let delivered_at = (moved.delivered > 0).then_some(now);
    let n = execute!(
        tx,
        "UPDATE {event_cursors} SET position = $3, delivered = delivered + $4, given_up = given_up + $5,
             delivered_at = coalesce($6, delivered_at),
             attempts = CASE WHEN $7 THEN attempts ELSE 0 END,
             failing_since = CASE WHEN $7 THEN failing_since END,
             next_try_at = CASE WHEN $7 THEN next_try_at END,
             last_error = CASE WHEN $7 THEN last_error END
         WHERE name = $1 AND lease = $2 AND position <= $3",
        name,
        lease,
        moved.position,
        moved.delivered,
        moved.given_up,
        delivered_at,
        moved.still_failing
    )?;
    Ok(n == 1)
}

/// Notes a try that failed; false if the cursor is no longer ours.
pub async fn failed(
    tx: &mut Tx<'_>,
    name: &str,
    lease: Uuid,
    next_try_at: Timestamp,
    why: &str,
) -> Result<bool, Error> {
    let now = tx.now();
    let n = execute!(
        tx,
        "UPDATE {event_cursors} SET attempts = attempts + 1, failing_since = coalesce(failing_since, $3),
             next_try_at = $4, last_error = $5 WHERE name = $1 AND lease = $2",
        name,
        lease,
        now,
        next_try_at,
        why
    )?;
    Ok(n == 1)
}

/// All of them, by name.
pub async fn list(tx: &mut Tx<'_>) -> Result<Vec<CursorRow>, Error> {
    fetch_all!(tx, CursorRow, "SELECT * FROM {event_cursors} ORDER BY name")
}

/// Forgets cursors that nobody has held since `before`: what they were for is configured no more.
pub async fn sweep(tx: &mut Tx<'_>, before: Timestamp) -> Result<u64, Error> {
    execute!(tx, "DELETE FROM {event_cursors} WHERE lease_until < $1", before)
}
