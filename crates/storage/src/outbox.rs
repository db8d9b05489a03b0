//! Table `outbox`: messages that wait, are delayed, or are in somebody's hands on a lease.
//!
//! A row's `lease` is the claim's token: whoever writes to a claimed row names it, and learns by the rows
//! that come back whether it was still theirs.

use std::collections::BTreeMap;

use serde::Serialize;
use sqlx::types::Json;
use uuid::Uuid;

use crate::{Error, Timestamp, Tx};

/// Headers of a message.
pub type Headers = BTreeMap<String, String>;

/// A message to insert.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewMessage {
    /// The message's id.
    pub id: Uuid,
    /// Where it goes.
    pub queue: String,
    /// What it says: the message type's name on the wire.
    pub kind: String,
    /// Headers.
    pub headers: Headers,
    /// The body's media type.
    pub content_type: String,
    /// The body.
    pub body: Vec<u8>,
    /// 0 to 9, 9 first.
    pub priority: i64,
    /// When it was published.
    pub enqueued_at: Timestamp,
    /// When it may be claimed first.
    pub visible_at: Timestamp,
    /// After which nobody wants it any more.
    pub expires_at: Option<Timestamp>,
    /// The publisher's key against saying it twice.
    pub dedupe_key: Option<String>,
}

/// One row of `outbox`.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct OutboxRow {
    /// The message's id.
    pub id: Uuid,
    /// Where it goes.
    pub queue: String,
    /// The message type's name on the wire.
    pub kind: String,
    /// Headers.
    pub headers: Json<Headers>,
    /// The body's media type.
    pub content_type: String,
    /// The body.
    pub body: Vec<u8>,
    /// 0 to 9, 9 first.
    pub priority: i64,
    /// When it was published.
    pub enqueued_at: Timestamp,
    /// When it may be claimed: at once, later, or when the lease ends.
    pub visible_at: Timestamp,
    /// After which nobody wants it any more.
    pub expires_at: Option<Timestamp>,
    /// Token of the claim that holds it.
    pub lease: Option<Uuid>,
    /// Tries that ended with a counted outcome.
    pub attempts: i64,
    /// Starts since then that ended with no outcome; a claim counts one.
    pub starts: i64,
    /// Why the last try failed.
    pub last_error: Option<String>,
    /// The publisher's key against saying it twice.
    pub dedupe_key: Option<String>,
    /// Since when another broker has it; the row then waits for its end.
    pub handed_at: Option<Timestamp>,
    /// How often it was handed over since it last was tried.
    pub handed_times: i64,
}

/// What a claimed message is known by: its id and the claim's token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
pub struct Held {
    /// The message.
    #[serde(serialize_with = "uuid::serde::simple::serialize")]
    pub id: Uuid,
    /// The claim's token.
    #[serde(serialize_with = "uuid::serde::simple::serialize")]
    pub lease: Uuid,
}

/// Inserts one message; false if its id is there already.
pub async fn insert(tx: &mut Tx<'_>, m: &NewMessage) -> Result<bool, Error> {
    let n = execute!(
        tx,
        "INSERT INTO {outbox} (id, queue, kind, headers, content_type, body, priority, enqueued_at, visible_at, \
         expires_at, dedupe_key) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) ON CONFLICT DO NOTHING",
        m.id,
        m.queue.as_str(),
        m.kind.as_str(),
        Json(&m.headers),
        m.content_type.as_str(),
        m.body.as_slice(),
        m.priority,
        m.enqueued_at,
        m.visible_at,
        m.expires_at,
        m.dedupe_key.as_deref()
    )?;
    Ok(n == 1)
}

/// A message on its way through the one JSON parameter of [`insert_many`].
#[derive(Serialize)]
struct Wire<'a> {
    #[serde(serialize_with = "uuid::serde::simple::serialize")]
    id: &'a Uuid,
    queue: &'a str,
    kind: &'a str,
    headers: &'a Headers,
    content_type: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hex: Option<String>,
    priority: i64,
    enqueued_at: i64,
    visible_at: i64,
    expires_at: Option<i64>,
    dedupe_key: Option<&'a str>,
}

impl<'a> From<&'a NewMessage> for Wire<'a> {
    fn from(m: &'a NewMessage) -> Self {
        // Neither database's JSON carries a NUL, nor what is not UTF-8.
        let text = std::str::from_utf8(&m.body)
            .ok()
            .filter(|text| !text.contains('\0'));
        Wire {
            id: &m.id,
            queue: &m.queue,
            kind: &m.kind,
            headers: &m.headers,
            content_type: &m.content_type,
            text,
            hex: text.is_none().then(|| hex(&m.body)),
            priority: m.priority,
            enqueued_at: m.enqueued_at.as_micros(),
            visible_at: m.visible_at.as_micros(),
            expires_at: m.expires_at.map(Timestamp::as_micros),
            dedupe_key: m.dedupe_key.as_deref(),
        }
    }
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut out = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        out.push(char::from(DIGITS[usize::from(byte >> 4)]));
        out.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
    out
}

/// Inserts many messages with one statement; the ids that went in.
pub async fn insert_many(tx: &mut Tx<'_>, messages: &[NewMessage]) -> Result<Vec<Uuid>, Error> {
    if messages.is_empty() {
        return Ok(Vec::new());
    }
    let rows: Vec<Wire<'_>> = messages.iter().map(Wire::from).collect();
    let sql = sql! {
        sqlite: "INSERT INTO {outbox} (id, queue, kind, headers, content_type, body, priority, enqueued_at, \
             visible_at, expires_at, dedupe_key) \
             SELECT unhex(r.value ->> 'id'), r.value ->> 'queue', r.value ->> 'kind', r.value -> 'headers', \
             r.value ->> 'content_type', coalesce(CAST(r.value ->> 'text' AS BLOB), unhex(r.value ->> 'hex')), \
             r.value ->> 'priority', r.value ->> 'enqueued_at', r.value ->> 'visible_at', \
             r.value ->> 'expires_at', r.value ->> 'dedupe_key' \
             FROM json_each($1) AS r WHERE true ON CONFLICT DO NOTHING RETURNING id",
        postgres: "INSERT INTO {outbox} (id, queue, kind, headers, content_type, body, priority, enqueued_at, \
             visible_at, expires_at, dedupe_key) \
             SELECT r.id, r.queue, r.kind, r.headers, r.content_type, \
             coalesce(convert_to(r.text, 'UTF8'), decode(r.hex, 'hex')), r.priority, \
             'epoch'::timestamptz + r.enqueued_at * interval '1 microsecond', \
             'epoch'::timestamptz + r.visible_at * interval '1 microsecond', \
             'epoch'::timestamptz + r.expires_at * interval '1 microsecond', r.dedupe_key \
             FROM jsonb_to_recordset($1) AS r(id uuid, queue text, kind text, headers jsonb, content_type text, \
             text text, hex text, priority bigint, enqueued_at bigint, visible_at bigint, expires_at bigint, \
             dedupe_key text) ON CONFLICT DO NOTHING RETURNING id",
    };
    let inserted: Vec<(Uuid,)> = fetch_all!(tx, (Uuid,), sql, Json(&rows))?;
    tx.count_rows(inserted.len() as u64);
    Ok(inserted.into_iter().map(|(id,)| id).collect())
}

/// The message, if it is there.
pub async fn get(tx: &mut Tx<'_>, id: Uuid) -> Result<Option<OutboxRow>, Error> {
    fetch_optional!(tx, OutboxRow, "SELECT * FROM {outbox} WHERE id = $1", id)
}

/// Messages of a queue in the order of their ids, for looking: claims nothing.
pub async fn list(
    tx: &mut Tx<'_>,
    queue: &str,
    after: Option<Uuid>,
    limit: i64,
) -> Result<Vec<OutboxRow>, Error> {
    let after = after.unwrap_or(Uuid::nil());
    fetch_all!(
        tx,
        OutboxRow,
        "SELECT * FROM {outbox} WHERE queue = $1 AND id > $2 ORDER BY id LIMIT $3",
        queue,
        after,
        limit
    )
}

/// Deletes a message that nobody has in hand; false if it is not there or somebody has.
pub async fn cancel(tx: &mut Tx<'_>, queue: &str, id: Uuid) -> Result<bool, Error> {
    let now = tx.now();
    let n = execute!(
        tx,
        "DELETE FROM {outbox} WHERE id = $1 AND queue = $2 AND (lease IS NULL OR visible_at <= $3)",
        id,
        queue,
        now
    )?;
    Ok(n == 1)
}

/// How a queue stands.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct OutboxCount {
    /// The queue.
    pub queue: String,
    /// Could be claimed now.
    pub ready: i64,
    /// Waits for its hour.
    pub delayed: i64,
    /// Is in somebody's hands.
    pub in_hand: i64,
    /// Was handed over to another broker and has not ended.
    pub handed: i64,
    /// When the oldest of them was published.
    pub oldest: Timestamp,
}

/// How each queue that holds anything stands.
pub async fn count(tx: &mut Tx<'_>) -> Result<Vec<OutboxCount>, Error> {
    let now = tx.now();
    fetch_all!(
        tx,
        OutboxCount,
        "SELECT queue, count(*) FILTER (WHERE visible_at <= $1) AS ready, \
         count(*) FILTER (WHERE visible_at > $1 AND lease IS NULL AND handed_at IS NULL) AS delayed, \
         count(*) FILTER (WHERE visible_at > $1 AND lease IS NOT NULL) AS in_hand, \
         count(handed_at) AS handed, \
         min(enqueued_at) AS oldest FROM {outbox} GROUP BY queue ORDER BY queue",
        now
    )
}

/// Messages of one queue that are in the same stage.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct OutboxStage {
    /// The queue.
    pub queue: String,
    /// `waiting` (could be handled now), `delayed`, `in_hand`, `handed_over` (to another broker, not ended).
    pub stage: String,
    /// How many.
    pub messages: i64,
    /// When the oldest of them was published.
    pub oldest: Timestamp,
    /// When the first of them was or will be due; of those in hand when their lease ends.
    pub due: Timestamp,
}

/// How many messages each queue holds in each stage, and how old the oldest are.
pub async fn stages(tx: &mut Tx<'_>) -> Result<Vec<OutboxStage>, Error> {
    let now = tx.now();
    fetch_all!(
        tx,
        OutboxStage,
        "SELECT queue, stage, count(*) AS messages, min(enqueued_at) AS oldest, min(visible_at) AS due \
         FROM (SELECT queue, enqueued_at, visible_at, \
               CASE WHEN handed_at IS NOT NULL THEN 'handed_over' WHEN visible_at <= $1 THEN 'waiting' \
               WHEN lease IS NOT NULL THEN 'in_hand' ELSE 'delayed' END AS stage FROM {outbox}) AS message \
         GROUP BY queue, stage ORDER BY queue, stage",
        now
    )
}
