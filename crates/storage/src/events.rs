//! `events`: what happened, for other programs, in an order that nobody can fall behind unawares.
//!
//! A row is written in the transaction of what it tells, and has no number. Numbers are given after the commit by
//! [`number`], which holds a lock meanwhile: whoever has seen a number has seen every one below it, however late a
//! transaction commits.

use serde::Serialize;
use sqlx::types::Json;
use uuid::Uuid;

use crate::{Error, Timestamp, Tx};

/// The topic that is woken when an event is written.
pub const TOPIC: &str = "events";

/// One event that has its number.
#[derive(Debug, Clone, PartialEq, sqlx::FromRow)]
pub struct EventRow {
    /// Its number: the public cursor.
    pub seq: i64,
    /// Its id, the same however often it is told.
    pub id: Uuid,
    /// What happened: `user.activated`.
    pub kind: String,
    /// To whom or what: ids and plain words.
    pub data: Json<serde_json::Value>,
    /// When it happened.
    pub at: Timestamp,
    /// When it got its number.
    pub numbered_at: Timestamp,
}

/// How far the numbers are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, sqlx::FromRow)]
pub struct Numbers {
    /// The last that was given; 0 before the first.
    pub last: i64,
    /// Up to this one they are swept.
    pub swept: i64,
}

/// Writes an event, to be told once this is committed; its id.
pub async fn insert(tx: &mut Tx<'_>, kind: &str, data: &serde_json::Value) -> Result<Uuid, Error> {
    let (now, id) = (tx.now(), crate::new_id(tx.now()));
    execute!(
        tx,
        "INSERT INTO {events} (id, kind, data, at) VALUES ($1, $2, $3, $4)",
        id,
        kind,
        Json(data),
        now
    )?;
    tx.wake(TOPIC);
    Ok(id)
}

/// An event on its way through the one JSON parameter of [`insert_many`].
#[derive(Serialize)]
struct Wire<'a> {
    #[serde(serialize_with = "uuid::serde::simple::serialize")]
    id: Uuid,
    kind: &'a str,
    data: &'a serde_json::Value,
}

/// Writes several events with one statement, in their order.
pub async fn insert_many(tx: &mut Tx<'_>, news: &[(&str, serde_json::Value)]) -> Result<(), Error> {
    let now = tx.now();
    let rows: Vec<Wire<'_>> = news
        .iter()
        .map(|(kind, data)| Wire {
            id: crate::new_id(now),
            kind,
            data,
        })
        .collect();
    if rows.is_empty() {
        return Ok(());
    }
    execute!(
        tx,
        sql! {
            sqlite: "INSERT INTO {events} (id, kind, data, at)
                     SELECT unhex(r.value ->> 'id'), r.value ->> 'kind', r.value -> 'data', $2
                     FROM json_each($1) AS r ORDER BY r.key",
            postgres: "INSERT INTO {events} (id, kind, data, at)
                       SELECT (r.value ->> 'id')::uuid, r.value ->> 'kind', r.value -> 'data', $2
                       FROM jsonb_array_elements($1) WITH ORDINALITY AS r(value, place) ORDER BY r.place",
        },
        Json(&rows),
        now
    )?;
    tx.wake(TOPIC);
    Ok(())
}

/// Whether any event waits for its number.
pub async fn any_unnumbered(tx: &mut Tx<'_>) -> Result<bool, Error> {
    let found: Option<(i64,)> = fetch_optional!(
        tx,
        (i64,),
        "SELECT n FROM {events} WHERE seq IS NULL ORDER BY n LIMIT 1"
    )?;
    Ok(found.is_some())
}

/// Gives numbers to at most `limit` events that are committed and have none, in the order in which they were
/// written; how many. Holds off others that number until this is committed.
pub async fn number(tx: &mut Tx<'_>, limit: i64) -> Result<u64, Error> {
    let now = tx.now();
    let (last,): (i64,) = fetch_one!(
        tx,
        (i64,),
        sql! {
            sqlite: "SELECT last FROM {event_numbers} WHERE only_one = 1",
            postgres: "SELECT last FROM {event_numbers} WHERE only_one = 1 FOR UPDATE",
        }
    )?;
    // A statement of its own: it sees what was committed while the lock was waited for.
    let numbered = execute!(
        tx,
        "UPDATE {events} SET seq = $1 + fresh.place, numbered_at = $2 FROM (
             SELECT n AS written, row_number() OVER (ORDER BY n) AS place FROM {events}
             WHERE seq IS NULL ORDER BY n LIMIT $3
         ) AS fresh WHERE n = fresh.written",
        last,
        now,
        limit
    )?;
    if numbered > 0 {
        let up_to = last + i64::try_from(numbered).unwrap_or(i64::MAX - last);
        execute!(
            tx,
            "UPDATE {event_numbers} SET last = $1 WHERE only_one = 1",
            up_to
        )?;
    }
    Ok(numbered)
}

/// How far the numbers are.
pub async fn numbers(tx: &mut Tx<'_>) -> Result<Numbers, Error> {
    fetch_one!(
        tx,
        Numbers,
        "SELECT last, swept FROM {event_numbers} WHERE only_one = 1"
    )
}

/// The events after a number, at most `limit` of them, in order.
pub async fn after(tx: &mut Tx<'_>, seq: i64, limit: i64) -> Result<Vec<EventRow>, Error> {
    fetch_all!(
        tx,
        EventRow,
        "SELECT seq, id, kind, data, at, numbered_at FROM {events} WHERE seq > $1 ORDER BY seq LIMIT $2",
        seq,
        limit
    )
}

/// The same, only those of some kinds.
pub async fn after_of_kinds(
    tx: &mut Tx<'_>,
    seq: i64,
    kinds: &[String],
    limit: i64,
) -> Result<Vec<EventRow>, Error> {
    fetch_all!(
        tx,
        EventRow,
        sql! {
            sqlite: "SELECT seq, id, kind, data, at, numbered_at FROM {events}
                     WHERE seq > $1 AND kind IN (SELECT value FROM json_each($2)) ORDER BY seq LIMIT $3",
            postgres: "SELECT seq, id, kind, data, at, numbered_at FROM {events}
                       WHERE seq > $1 AND kind IN (SELECT jsonb_array_elements_text($2)) ORDER BY seq LIMIT $3",
        },
        seq,
        Json(kinds),
        limit
    )
}

/// Deletes at most `limit` events that got their number before `before`, the oldest first; how many.
pub async fn sweep(tx: &mut Tx<'_>, before: Timestamp, limit: i64) -> Result<u64, Error> {
    let gone: Vec<(i64,)> = fetch_all!(
        tx,
        (i64,),
        "DELETE FROM {events} WHERE seq IN (
             SELECT seq FROM (
                 SELECT seq, numbered_at FROM {events} WHERE seq IS NOT NULL ORDER BY seq LIMIT $2
             ) AS oldest WHERE numbered_at < $1
         ) RETURNING seq",
        before,
        limit
    )?;
    if let Some(last) = gone.iter().map(|(seq,)| *seq).max() {
        execute!(
            tx,
            "UPDATE {event_numbers} SET swept = $1 WHERE only_one = 1 AND swept < $2",
            last,
            last
        )?;
        tx.count_rows(gone.len() as u64);
    }
    Ok(gone.len() as u64)
}
