//! Table `dead_letters`: messages that nobody will try again by themselves, whole, with the reason.

use serde::Serialize;
use sqlx::types::Json;
use uuid::Uuid;

use crate::outbox::{Headers, Held};
use crate::outbox_claims::won;
use crate::{Error, Timestamp, Tx, outbox_handed};

/// One row of `dead_letters`.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct DeadLetterRow {
    /// The message's id.
    pub id: Uuid,
    /// The queue it was on.
    pub queue: String,
    /// The message type's name on the wire.
    pub kind: String,
    /// Headers.
    pub headers: Json<Headers>,
    /// The body's media type.
    pub content_type: String,
    /// The body.
    pub body: Vec<u8>,
    /// 0 to 9.
    pub priority: i64,
    /// When it was published.
    pub enqueued_at: Timestamp,
    /// After which nobody wanted it any more.
    pub expires_at: Option<Timestamp>,
    /// The publisher's key.
    pub dedupe_key: Option<String>,
    /// Why, as a word.
    pub reason: String,
    /// Why, in a sentence.
    pub detail: String,
    /// How many tries ended with a counted outcome.
    pub attempts: i64,
    /// How many starts since then ended with none.
    pub starts: i64,
    /// When it came here.
    pub died_at: Timestamp,
}

/// A claimed message to be given up.
#[derive(Debug, Clone, Serialize)]
pub struct Burial {
    /// Which.
    #[serde(flatten)]
    pub held: Held,
    /// Why, as a word.
    pub reason: String,
    /// Why, in a sentence.
    pub detail: String,
    /// 1 if the try that led here counts as an attempt, 0 if not.
    pub counted: i64,
}

/// Copies messages here. Their rows are locked by the copy, so that the deletion after it meets the same ones.
macro_rules! copy {
    (sqlite: $sqlite:literal, postgres: $postgres:literal) => {
        sql! {
            sqlite: concat!(
                "INSERT INTO {dead_letters} (id, queue, kind, headers, content_type, body, priority, enqueued_at, \
                 expires_at, dedupe_key, reason, detail, attempts, starts, died_at) \
                 SELECT o.id, o.queue, o.kind, o.headers, o.content_type, o.body, o.priority, o.enqueued_at, \
                 o.expires_at, o.dedupe_key, r.value ->> 'reason', r.value ->> 'detail', \
                 o.attempts + (r.value ->> 'counted'), o.starts, $2 FROM json_each($1) AS r CROSS JOIN {outbox} AS o \
                 WHERE o.id = unhex(r.value ->> 'id')", $sqlite, " \
                 ON CONFLICT (id) DO UPDATE SET reason = excluded.reason, detail = excluded.detail, \
                 attempts = excluded.attempts, starts = excluded.starts, died_at = excluded.died_at"
            ),
            postgres: concat!(
                "INSERT INTO {dead_letters} AS d (id, queue, kind, headers, content_type, body, priority, \
                 enqueued_at, expires_at, dedupe_key, reason, detail, attempts, starts, died_at) \
                 SELECT o.id, o.queue, o.kind, o.headers, o.content_type, o.body, o.priority, o.enqueued_at, \
                 o.expires_at, o.dedupe_key, r.reason, r.detail, o.attempts + r.counted, o.starts, $2 \
                 FROM {outbox} AS o JOIN jsonb_to_recordset($1) \
                 AS r(id uuid, lease uuid, reason text, detail text, counted bigint) \
                 ON o.id = r.id", $postgres, " FOR UPDATE OF o \
                 ON CONFLICT (id) DO UPDATE SET reason = excluded.reason, detail = excluded.detail, \
                 attempts = excluded.attempts, starts = excluded.starts, died_at = excluded.died_at"
            )
        }
    };
}

/// Moves claimed messages here; those that were still ours.
pub async fn bury(tx: &mut Tx<'_>, burials: &[Burial]) -> Result<Vec<Uuid>, Error> {
    if burials.is_empty() {
        return Ok(Vec::new());
    }
    let now = tx.now();
    let sql = copy! {
        sqlite: " AND o.lease = unhex(r.value ->> 'lease')",
        postgres: " AND o.lease = r.lease"
    };
    execute!(tx, sql, Json(burials), now)?;
    let delete = sql! {
        sqlite: "DELETE FROM {outbox} WHERE rowid IN (SELECT o.rowid FROM json_each($1) AS r \
             CROSS JOIN {outbox} AS o WHERE o.id = unhex(r.value ->> 'id') AND o.lease = unhex(r.value ->> 'lease')) \
             RETURNING id",
        postgres: "DELETE FROM {outbox} AS o USING jsonb_to_recordset($1) AS r(id uuid, lease uuid) \
             WHERE o.id = r.id AND o.lease = r.lease RETURNING o.id",
    };
    won(tx, delete, burials).await
}

/// The same for messages that another broker gave us, in whosever hands their rows are; those whose rows were
/// there. (`held.lease` is not looked at.)
pub async fn bury_handed(tx: &mut Tx<'_>, burials: &[Burial]) -> Result<Vec<Uuid>, Error> {
    if burials.is_empty() {
        return Ok(Vec::new());
    }
    let now = tx.now();
    let sql = copy! { sqlite: "", postgres: "" };
    execute!(tx, sql, Json(burials), now)?;
    let ids: Vec<Uuid> = burials.iter().map(|burial| burial.held.id).collect();
    outbox_handed::end(tx, &ids).await
}

/// One dead letter.
pub async fn get(tx: &mut Tx<'_>, queue: &str, id: Uuid) -> Result<Option<DeadLetterRow>, Error> {
    fetch_optional!(
        tx,
        DeadLetterRow,
        "SELECT * FROM {dead_letters} WHERE id = $1 AND queue = $2",
        id,
        queue
    )
}

/// A queue's dead letters in the order of their ids.
pub async fn list(
    tx: &mut Tx<'_>,
    queue: &str,
    after: Option<Uuid>,
    limit: i64,
) -> Result<Vec<DeadLetterRow>, Error> {
    let after = after.unwrap_or(Uuid::nil());
    fetch_all!(
        tx,
        DeadLetterRow,
        "SELECT * FROM {dead_letters} WHERE queue = $1 AND id > $2 ORDER BY id LIMIT $3",
        queue,
        after,
        limit
    )
}

/// The header by which a message says when it was put back, in microseconds since the epoch: its handler can
/// tell it from a copy that arrives late.
pub const REPLAYED_AT: &str = "x-replayed-at";

/// Puts a dead letter back on its queue under its id, tries counted from nothing; false if it is not here.
pub async fn replay(tx: &mut Tx<'_>, queue: &str, id: Uuid) -> Result<bool, Error> {
    let now = tx.now();
    // Should its id wait there already, that copy stays and this one goes.
    let sql = sql! {
        sqlite: "INSERT INTO {outbox} (id, queue, kind, headers, content_type, body, priority, enqueued_at, \
             visible_at, expires_at, last_error, dedupe_key) SELECT id, queue, kind, \
             json_set(headers, '$.\"x-replayed-at\"', $4), content_type, body, priority, $3, $3, expires_at, detail, \
             dedupe_key FROM {dead_letters} WHERE id = $1 AND queue = $2 ON CONFLICT DO NOTHING",
        postgres: "INSERT INTO {outbox} (id, queue, kind, headers, content_type, body, priority, enqueued_at, \
             visible_at, expires_at, last_error, dedupe_key) SELECT id, queue, kind, \
             headers || jsonb_build_object('x-replayed-at', $4::text), content_type, body, priority, $3, $3, \
             expires_at, detail, dedupe_key FROM {dead_letters} WHERE id = $1 AND queue = $2 ON CONFLICT DO NOTHING",
    };
    execute!(tx, sql, id, queue, now, now.as_micros().to_string())?;
    discard(tx, queue, id).await
}

/// Deletes a dead letter for good; false if it is not here.
pub async fn discard(tx: &mut Tx<'_>, queue: &str, id: Uuid) -> Result<bool, Error> {
    let n = execute!(
        tx,
        "DELETE FROM {dead_letters} WHERE id = $1 AND queue = $2",
        id,
        queue
    )?;
    Ok(n == 1)
}

/// How many dead letters each queue has.
pub async fn count(tx: &mut Tx<'_>) -> Result<Vec<(String, i64)>, Error> {
    fetch_all!(
        tx,
        (String, i64),
        "SELECT queue, count(*) FROM {dead_letters} GROUP BY queue ORDER BY queue"
    )
}

/// Deletes up to `limit` dead letters that came here before `before`.
pub async fn sweep(tx: &mut Tx<'_>, before: Timestamp, limit: i64) -> Result<u64, Error> {
    execute!(
        tx,
        "DELETE FROM {dead_letters} WHERE id IN \
         (SELECT id FROM {dead_letters} WHERE died_at < $1 ORDER BY died_at LIMIT $2)",
        before,
        limit
    )
}
