//! Table `outbox`, the claiming side: take messages on a lease, keep them, give them back, be done.
//!
//! From two starts without an outcome on, a message is under suspicion of killing its process: [`claim`]
//! passes it by and [`claim_suspect`] takes it. Otherwise all that a process had in hand would be given up
//! together with the one that kills it. The number stands in the statements and in a partial index.

use serde::Serialize;
use sqlx::types::Json;
use uuid::Uuid;

use crate::outbox::{Held, OutboxRow};
use crate::{Error, Timestamp, Tx};

/// What to claim.
#[derive(Debug, Clone)]
pub struct Claim {
    /// Of this queue.
    pub queue: String,
    /// At most so many.
    pub limit: i64,
    /// The claim's token.
    pub lease: Uuid,
    /// When it ends, unless extended.
    pub until: Timestamp,
}

/// The ready messages of one priority, oldest first. SQLite has no `LATERAL`, so this stands ten times.
macro_rules! ready {
    ($priority:literal) => {
        concat!(
            "SELECT * FROM (SELECT rowid AS r, priority, visible_at, id FROM {outbox} \
             WHERE queue = $1 AND priority = ",
            $priority,
            " AND visible_at <= $2 AND starts < 2 ORDER BY visible_at, id LIMIT $3)"
        )
    };
}

const CLAIM_SQLITE: &str = concat!(
    "UPDATE {outbox} SET lease = $4, visible_at = $5, starts = starts + 1 WHERE rowid IN (SELECT r FROM (",
    ready!(9),
    " UNION ALL ",
    ready!(8),
    " UNION ALL ",
    ready!(7),
    " UNION ALL ",
    ready!(6),
    " UNION ALL ",
    ready!(5),
    " UNION ALL ",
    ready!(4),
    " UNION ALL ",
    ready!(3),
    " UNION ALL ",
    ready!(2),
    " UNION ALL ",
    ready!(1),
    " UNION ALL ",
    ready!(0),
    ") ORDER BY priority DESC, visible_at, id LIMIT $3) RETURNING *"
);

// Materialized: joined directly, the planner may run the locking part again and lock more than the limit.
const CLAIM_POSTGRES: &str = "WITH next AS MATERIALIZED (SELECT c.id FROM generate_series(9, 0, -1) AS p(priority) \
     CROSS JOIN LATERAL (SELECT o.id FROM {outbox} AS o WHERE o.queue = $1 AND o.priority = p.priority \
     AND o.visible_at <= $2 AND o.starts < 2 ORDER BY o.visible_at, o.id LIMIT $3 \
     FOR UPDATE SKIP LOCKED) AS c LIMIT $3) \
     UPDATE {outbox} AS o SET lease = $4, visible_at = $5, starts = o.starts + 1 FROM next \
     WHERE o.id = next.id RETURNING o.*";

/// Claims messages whose hour has come, the highest priority first. Each claim counts as a start, durable
/// with the commit, so that a message that kills its process is counted as well.
pub async fn claim(tx: &mut Tx<'_>, claim: &Claim) -> Result<Vec<OutboxRow>, Error> {
    let now = tx.now();
    let mut rows: Vec<OutboxRow> = fetch_all!(
        tx,
        OutboxRow,
        sql! { sqlite: CLAIM_SQLITE, postgres: CLAIM_POSTGRES },
        claim.queue.as_str(),
        now,
        claim.limit,
        claim.lease,
        claim.until
    )?;
    tx.count_rows(rows.len() as u64);
    rows.sort_by_key(|row| (-row.priority, row.enqueued_at, row.id));
    Ok(rows)
}

/// The same for messages under suspicion, those that have waited longest first.
pub async fn claim_suspect(tx: &mut Tx<'_>, claim: &Claim) -> Result<Vec<OutboxRow>, Error> {
    let now = tx.now();
    let sql = sql! {
        sqlite: "UPDATE {outbox} SET lease = $4, visible_at = $5, starts = starts + 1 WHERE rowid IN \
             (SELECT rowid FROM {outbox} WHERE queue = $1 AND visible_at <= $2 AND starts >= 2 \
             ORDER BY visible_at LIMIT $3) RETURNING *",
        postgres: "WITH next AS MATERIALIZED (SELECT id FROM {outbox} WHERE queue = $1 AND visible_at <= $2 \
             AND starts >= 2 ORDER BY visible_at LIMIT $3 FOR UPDATE SKIP LOCKED) \
             UPDATE {outbox} AS o SET lease = $4, visible_at = $5, starts = o.starts + 1 FROM next \
             WHERE o.id = next.id RETURNING o.*",
    };
    let rows: Vec<OutboxRow> = fetch_all!(
        tx,
        OutboxRow,
        sql,
        claim.queue.as_str(),
        now,
        claim.limit,
        claim.lease,
        claim.until
    )?;
    tx.count_rows(rows.len() as u64);
    Ok(rows)
}

/// What there is to claim, and when more will be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Look {
    /// A message can be claimed now.
    pub ready: bool,
    /// One under suspicion can be claimed.
    pub suspect: bool,
    /// When the next delayed or leased one comes due.
    pub next: Option<Timestamp>,
}

#[derive(sqlx::FromRow)]
struct LookRow {
    ready: i64,
    suspect: i64,
    next: Option<Timestamp>,
}

/// The hour at which the first message of one priority comes due.
macro_rules! due {
    ($priority:literal) => {
        concat!(
            "SELECT min(visible_at) AS v FROM {outbox} WHERE queue = $1 AND priority = ",
            $priority,
            " AND visible_at > $2"
        )
    };
}

/// Whether a ready message exists, and whether one under suspicion does, as 0 or 1. The list makes ten
/// short searches of the index, where a range would pass by every delayed message.
macro_rules! now {
    () => {
        "CAST(CASE WHEN EXISTS (SELECT 1 FROM {outbox} WHERE queue = $1 AND priority IN \
         (0, 1, 2, 3, 4, 5, 6, 7, 8, 9) AND visible_at <= $2 AND starts < 2) THEN 1 ELSE 0 END AS bigint) AS ready, \
         CAST(CASE WHEN EXISTS (SELECT 1 FROM {outbox} WHERE queue = $1 AND visible_at <= $2 AND starts >= 2) \
         THEN 1 ELSE 0 END AS bigint) AS suspect"
    };
}

const LOOK_SQLITE: &str = concat!(
    "SELECT ",
    now!(),
    ", (SELECT min(v) FROM (",
    due!(0),
    " UNION ALL ",
    due!(1),
    " UNION ALL ",
    due!(2),
    " UNION ALL ",
    due!(3),
    " UNION ALL ",
    due!(4),
    " UNION ALL ",
    due!(5),
    " UNION ALL ",
    due!(6),
    " UNION ALL ",
    due!(7),
    " UNION ALL ",
    due!(8),
    " UNION ALL ",
    due!(9),
    ")) AS next"
);

const LOOK_POSTGRES: &str = concat!(
    "SELECT ",
    now!(),
    ", (SELECT min(d.v) FROM generate_series(0, 9) AS p(priority) CROSS JOIN LATERAL \
     (SELECT o.visible_at AS v FROM {outbox} AS o WHERE o.queue = $1 AND o.priority = p.priority \
     AND o.visible_at > $2 ORDER BY o.visible_at LIMIT 1) AS d) AS next"
);

/// Looks without claiming, so that an idle consumer writes nothing.
pub async fn look(tx: &mut Tx<'_>, queue: &str) -> Result<Look, Error> {
    let now = tx.now();
    let row: LookRow = fetch_one!(
        tx,
        LookRow,
        sql! { sqlite: LOOK_SQLITE, postgres: LOOK_POSTGRES },
        queue,
        now
    )?;
    Ok(Look {
        ready: row.ready != 0,
        suspect: row.suspect != 0,
        next: row.next,
    })
}

/// Deletes messages that are done; those of them that were still ours.
pub async fn finish(tx: &mut Tx<'_>, held: &[Held]) -> Result<Vec<Uuid>, Error> {
    if held.is_empty() {
        return Ok(Vec::new());
    }
    let sql = sql! {
        sqlite: "DELETE FROM {outbox} WHERE rowid IN (SELECT o.rowid FROM json_each($1) AS r \
             CROSS JOIN {outbox} AS o WHERE o.id = unhex(r.value ->> 'id') AND o.lease = unhex(r.value ->> 'lease')) \
             RETURNING id",
        postgres: "DELETE FROM {outbox} AS o USING jsonb_to_recordset($1) AS r(id uuid, lease uuid) \
             WHERE o.id = r.id AND o.lease = r.lease RETURNING o.id",
    };
    won(tx, sql, held).await
}

/// Extends leases to `until`; those that were still ours.
pub async fn extend(tx: &mut Tx<'_>, held: &[Held], until: Timestamp) -> Result<Vec<Uuid>, Error> {
    if held.is_empty() {
        return Ok(Vec::new());
    }
    let sql = sql! {
        sqlite: "UPDATE {outbox} SET visible_at = $2 FROM json_each($1) AS r \
             WHERE {outbox}.id = unhex(r.value ->> 'id') AND {outbox}.lease = unhex(r.value ->> 'lease') RETURNING id",
        postgres: "UPDATE {outbox} AS o SET visible_at = $2 FROM jsonb_to_recordset($1) AS r(id uuid, lease uuid) \
             WHERE o.id = r.id AND o.lease = r.lease RETURNING o.id",
    };
    let rows: Vec<(Uuid,)> = fetch_all!(tx, (Uuid,), sql, Json(held), until)?;
    tx.count_rows(rows.len() as u64);
    Ok(rows.into_iter().map(|(id,)| id).collect())
}

/// Gives back what was claimed and never begun: it keeps its place, and the claim counts as no start.
pub async fn release(tx: &mut Tx<'_>, held: &[Held]) -> Result<Vec<Uuid>, Error> {
    if held.is_empty() {
        return Ok(Vec::new());
    }
    let now = tx.now();
    let sql = sql! {
        sqlite: "UPDATE {outbox} SET lease = NULL, visible_at = min(enqueued_at, $2), starts = max(starts - 1, 0) \
             FROM json_each($1) AS r \
             WHERE {outbox}.id = unhex(r.value ->> 'id') AND {outbox}.lease = unhex(r.value ->> 'lease') RETURNING id",
        postgres: "UPDATE {outbox} AS o SET lease = NULL, visible_at = least(o.enqueued_at, $2), \
             starts = greatest(o.starts - 1, 0) FROM jsonb_to_recordset($1) AS r(id uuid, lease uuid) \
             WHERE o.id = r.id AND o.lease = r.lease RETURNING o.id",
    };
    let rows: Vec<(Uuid,)> = fetch_all!(tx, (Uuid,), sql, Json(held), now)?;
    tx.count_rows(rows.len() as u64);
    Ok(rows.into_iter().map(|(id,)| id).collect())
}

/// A message to be tried again.
#[derive(Debug, Clone, Serialize)]
pub struct Again {
    /// Which.
    #[serde(flatten)]
    pub held: Held,
    /// When.
    #[serde(serialize_with = "micros")]
    pub at: Timestamp,
    /// 1 if the try counts as an attempt, 0 if not.
    pub counted: i64,
    /// Why.
    pub error: String,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn micros<S: serde::Serializer>(at: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_i64(at.as_micros())
}

#[expect(clippy::ref_option, reason = "serde passes a reference")]
pub(crate) fn micros_or_none<S: serde::Serializer>(
    at: &Option<Timestamp>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match at {
        Some(at) => serializer.serialize_some(&at.as_micros()),
        None => serializer.serialize_none(),
    }
}

/// Puts messages back for later; those that were still ours.
pub async fn again(tx: &mut Tx<'_>, items: &[Again]) -> Result<Vec<Uuid>, Error> {
    if items.is_empty() {
        return Ok(Vec::new());
    }
    let sql = sql! {
        sqlite: "UPDATE {outbox} SET lease = NULL, visible_at = r.value ->> 'at', starts = 0, \
             attempts = attempts + (r.value ->> 'counted'), last_error = r.value ->> 'error' FROM json_each($1) AS r \
             WHERE {outbox}.id = unhex(r.value ->> 'id') AND {outbox}.lease = unhex(r.value ->> 'lease') RETURNING id",
        postgres: "UPDATE {outbox} AS o SET lease = NULL, \
             visible_at = 'epoch'::timestamptz + r.at * interval '1 microsecond', starts = 0, \
             attempts = o.attempts + r.counted, last_error = r.error \
             FROM jsonb_to_recordset($1) AS r(id uuid, lease uuid, at bigint, counted bigint, error text) \
             WHERE o.id = r.id AND o.lease = r.lease RETURNING o.id",
    };
    won(tx, sql, items).await
}

/// Runs a statement over one JSON parameter that returns the ids it won.
pub(crate) async fn won<T: Serialize + Sync>(
    tx: &mut Tx<'_>,
    sql: crate::sql::Sql,
    items: &[T],
) -> Result<Vec<Uuid>, Error> {
    let rows: Vec<(Uuid,)> = fetch_all!(tx, (Uuid,), sql, Json(items))?;
    tx.count_rows(rows.len() as u64);
    Ok(rows.into_iter().map(|(id,)| id).collect())
}
