//! Table `outbox`, where the messages go on to another broker: a dispatcher takes them on a lease, and each goes
//! when the broker has it, or stays as *handed over* until its end is known.
//!
//! A row that is handed over is out of every consumer's sight. Whoever handles the message ends, postpones or
//! buries the row in the transaction that says so, whatever lease it has: the dispatcher that is about to mark it
//! names its lease and then changes nothing.

use std::time::Duration;

use serde::Serialize;
use sqlx::types::Json;
use uuid::Uuid;

use crate::outbox::{Held, OutboxRow};
use crate::outbox_claims::{Again, won};
use crate::{Error, Timestamp, Tx};

/// As far away as an hour can be that never comes.
const NEVER: Duration = Duration::from_hours(100 * 365 * 24);

/// What a dispatcher takes.
#[derive(Debug, Clone)]
pub struct Take {
    /// Of this queue.
    pub queue: String,
    /// At most so many.
    pub limit: i64,
    /// Bodies of so many bytes together, about; one message in any case.
    pub bytes: i64,
    /// The token.
    pub lease: Uuid,
    /// When the lease ends.
    pub until: Timestamp,
}

/// The waiting messages of one priority, oldest first.
macro_rules! waiting {
    ($priority:literal) => {
        concat!(
            "SELECT * FROM (SELECT rowid AS r, length(body) AS bytes, priority, visible_at, id FROM {outbox} \
             WHERE queue = $1 AND priority = ",
            $priority,
            " AND visible_at <= $2 ORDER BY visible_at, id LIMIT $3)"
        )
    };
}

const TAKE_SQLITE: &str = concat!(
    "UPDATE {outbox} SET lease = $4, visible_at = $5 WHERE rowid IN (SELECT r FROM (SELECT r, \
     sum(bytes) OVER (ORDER BY priority DESC, visible_at, id ROWS UNBOUNDED PRECEDING) - bytes AS before FROM (\
     SELECT * FROM (",
    waiting!(9),
    " UNION ALL ",
    waiting!(8),
    " UNION ALL ",
    waiting!(7),
    " UNION ALL ",
    waiting!(6),
    " UNION ALL ",
    waiting!(5),
    " UNION ALL ",
    waiting!(4),
    " UNION ALL ",
    waiting!(3),
    " UNION ALL ",
    waiting!(2),
    " UNION ALL ",
    waiting!(1),
    " UNION ALL ",
    waiting!(0),
    ") ORDER BY priority DESC, visible_at, id LIMIT $3)) WHERE before < $6) RETURNING *"
);

// A running total can't be made of rows while they are locked: those over the limit are let go by the commit.
const TAKE_POSTGRES: &str = "WITH next AS MATERIALIZED (SELECT c.* FROM generate_series(9, 0, -1) AS p(priority) \
     CROSS JOIN LATERAL (SELECT o.id, o.priority, o.visible_at, octet_length(o.body)::bigint AS bytes \
     FROM {outbox} AS o WHERE o.queue = $1 AND o.priority = p.priority AND o.visible_at <= $2 \
     ORDER BY o.visible_at, o.id LIMIT $3 FOR UPDATE SKIP LOCKED) AS c LIMIT $3), \
     cut AS (SELECT id FROM (SELECT id, sum(bytes) OVER (ORDER BY priority DESC, visible_at, id \
     ROWS UNBOUNDED PRECEDING) - bytes AS before FROM next) AS n WHERE before < $6) \
     UPDATE {outbox} AS o SET lease = $4, visible_at = $5 FROM cut WHERE o.id = cut.id RETURNING o.*";

/// Takes messages whose hour has come, the highest priority first. Unlike a consumer's claim it counts as no start.
pub async fn take(tx: &mut Tx<'_>, take: &Take) -> Result<Vec<OutboxRow>, Error> {
    let now = tx.now();
    let mut rows: Vec<OutboxRow> = fetch_all!(
        tx,
        OutboxRow,
        sql! { sqlite: TAKE_SQLITE, postgres: TAKE_POSTGRES },
        take.queue.as_str(),
        now,
        take.limit,
        take.lease,
        take.until,
        take.bytes
    )?;
    tx.count_rows(rows.len() as u64);
    rows.sort_by_key(|row| (-row.priority, row.enqueued_at, row.id));
    Ok(rows)
}

/// The names of the queues that have rows, in order.
pub async fn queues(tx: &mut Tx<'_>) -> Result<Vec<String>, Error> {
    // One search of the index for each name, where DISTINCT would read every row.
    let rows: Vec<(String,)> = fetch_all!(
        tx,
        (String,),
        "WITH RECURSIVE names(queue) AS (SELECT (SELECT min(queue) FROM {outbox}) UNION ALL \
         SELECT (SELECT min(o.queue) FROM {outbox} AS o WHERE o.queue > names.queue) FROM names \
         WHERE names.queue IS NOT NULL) SELECT queue FROM names WHERE queue IS NOT NULL"
    )?;
    Ok(rows.into_iter().map(|(queue,)| queue).collect())
}

/// A message that the broker has, and from when on that is doubted.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Handed {
    /// Which.
    #[serde(flatten)]
    pub held: Held,
    /// From when on, in microseconds since the epoch.
    pub doubt_at: i64,
}

/// Notes that the broker has these; those that were still ours.
pub async fn mark(tx: &mut Tx<'_>, handed: &[Handed]) -> Result<Vec<Uuid>, Error> {
    if handed.is_empty() {
        return Ok(Vec::new());
    }
    let (now, never) = (tx.now(), tx.now() + NEVER);
    let sql = sql! {
        sqlite: "UPDATE {outbox} SET lease = NULL, starts = 0, handed_at = $2, visible_at = $3, \
             handed_times = handed_times + 1, doubt_at = r.value ->> 'doubt_at', last_error = NULL \
             FROM json_each($1) AS r \
             WHERE {outbox}.id = unhex(r.value ->> 'id') AND {outbox}.lease = unhex(r.value ->> 'lease') RETURNING id",
        postgres: "UPDATE {outbox} AS o SET lease = NULL, starts = 0, handed_at = $2, visible_at = $3, \
             handed_times = o.handed_times + 1, last_error = NULL, \
             doubt_at = 'epoch'::timestamptz + r.doubt_at * interval '1 microsecond' \
             FROM jsonb_to_recordset($1) AS r(id uuid, lease uuid, doubt_at bigint) \
             WHERE o.id = r.id AND o.lease = r.lease RETURNING o.id",
    };
    let rows: Vec<(Uuid,)> = fetch_all!(tx, (Uuid,), sql, Json(handed), now, never)?;
    tx.count_rows(rows.len() as u64);
    Ok(rows.into_iter().map(|(id,)| id).collect())
}

#[derive(Serialize)]
struct Id {
    #[serde(serialize_with = "uuid::serde::simple::serialize")]
    id: Uuid,
}

/// Deletes the rows of messages that have ended, in whosever hands; those that were there.
pub async fn end(tx: &mut Tx<'_>, ids: &[Uuid]) -> Result<Vec<Uuid>, Error> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let ids: Vec<Id> = ids.iter().map(|id| Id { id: *id }).collect();
    let sql = sql! {
        sqlite: "DELETE FROM {outbox} WHERE id IN (SELECT unhex(r.value ->> 'id') FROM json_each($1) AS r) RETURNING id",
        postgres: "DELETE FROM {outbox} AS o USING jsonb_to_recordset($1) AS r(id uuid) WHERE o.id = r.id RETURNING o.id",
    };
    won(tx, sql, &ids).await
}

/// Postpones the rows of messages, in whosever hands: they are handed over again at their hour. Those that were
/// there. (`held.lease` is not looked at.)
pub async fn postpone(tx: &mut Tx<'_>, items: &[Again]) -> Result<Vec<Uuid>, Error> {
    if items.is_empty() {
        return Ok(Vec::new());
    }
    let sql = sql! {
        sqlite: "UPDATE {outbox} SET lease = NULL, handed_at = NULL, handed_times = 0, doubt_at = NULL, \
             visible_at = r.value ->> 'at', starts = 0, \
             attempts = attempts + (r.value ->> 'counted'), last_error = r.value ->> 'error' FROM json_each($1) AS r \
             WHERE {outbox}.id = unhex(r.value ->> 'id') RETURNING id",
        postgres: "UPDATE {outbox} AS o SET lease = NULL, handed_at = NULL, handed_times = 0, doubt_at = NULL, \
             visible_at = 'epoch'::timestamptz + r.at * interval '1 microsecond', starts = 0, \
             attempts = o.attempts + r.counted, last_error = r.error \
             FROM jsonb_to_recordset($1) AS r(id uuid, at bigint, counted bigint, error text) \
             WHERE o.id = r.id RETURNING o.id",
    };
    won(tx, sql, items).await
}

/// How many messages of a queue were handed over at `before` or earlier and have not ended.
pub async fn count(tx: &mut Tx<'_>, queue: &str, before: Timestamp) -> Result<i64, Error> {
    let (count,): (i64,) = fetch_one!(
        tx,
        (i64,),
        "SELECT count(*) FROM {outbox} WHERE queue = $1 AND handed_at IS NOT NULL AND handed_at <= $2",
        queue,
        before
    )?;
    Ok(count)
}

/// Which messages to take back from a broker.
#[derive(Debug, Clone)]
pub struct TakeBack {
    /// Of this queue.
    pub queue: String,
    /// Handed over then or earlier.
    pub before: Timestamp,
    /// Only those that are doubted now.
    pub doubted: bool,
    /// Among so many that were handed over first.
    pub limit: i64,
}

/// Takes messages back: they wait again, at their old place. How many.
pub async fn take_back(tx: &mut Tx<'_>, back: &TakeBack) -> Result<u64, Error> {
    let now = tx.now();
    let doubted = if back.doubted { now } else { now + NEVER };
    let sql = sql! {
        sqlite: "UPDATE {outbox} SET lease = NULL, handed_at = NULL, doubt_at = NULL, \
             visible_at = min(enqueued_at, $4) WHERE handed_at IS NOT NULL AND rowid IN (SELECT r FROM \
             (SELECT rowid AS r, doubt_at FROM {outbox} WHERE queue = $1 AND handed_at IS NOT NULL AND handed_at <= $2 \
             ORDER BY handed_at, id LIMIT $3) WHERE doubt_at <= $5)",
        postgres: "UPDATE {outbox} AS o SET lease = NULL, handed_at = NULL, doubt_at = NULL, \
             visible_at = least(o.enqueued_at, $4) FROM (SELECT id, doubt_at FROM {outbox} WHERE queue = $1 \
             AND handed_at IS NOT NULL AND handed_at <= $2 ORDER BY handed_at, id LIMIT $3) AS first \
             WHERE o.id = first.id AND o.handed_at IS NOT NULL AND first.doubt_at <= $5",
    };
    execute!(
        tx,
        sql,
        back.queue.as_str(),
        back.before,
        back.limit,
        now,
        doubted
    )
}
