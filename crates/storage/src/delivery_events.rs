//! `delivery_events`: the timeline of each letter.

use serde::Serialize;
use sqlx::types::Json;
use uuid::Uuid;

use crate::{Dialect, Error, Timestamp, Tx};

/// Something that happened to a letter, once or several times in a row.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct DeliveryEventRow {
    /// What: `queued`, `sending`, `deferred`, `sent`, ...
    pub event: String,
    /// What the mail server said, or why.
    pub detail: Option<String>,
    /// How often in a row.
    pub times: i64,
    /// When first.
    pub at: Timestamp,
    /// When last.
    pub last_at: Timestamp,
}

/// Adds to a letter's timeline. The same as the event before it is counted there, so that a long
/// outage does not fill the table.
pub async fn note(
    tx: &mut Tx<'_>,
    delivery_id: Uuid,
    event: &str,
    detail: Option<&str>,
) -> Result<(), Error> {
    let now = tx.now();
    let again = execute!(
        tx,
        "UPDATE {delivery_events} SET times = times + 1, last_at = $4
         WHERE delivery_id = $1 AND event = $2 AND coalesce(detail, '') = $3
           AND seq = (SELECT max(seq) FROM {delivery_events} WHERE delivery_id = $5)",
        delivery_id,
        event,
        detail.unwrap_or_default(),
        now,
        delivery_id
    )?;
    if again == 0 {
        execute!(
            tx,
            "INSERT INTO {delivery_events} (delivery_id, seq, event, detail, at, last_at)
             SELECT $1, coalesce(max(seq), 0) + 1, $2, $3, $4, $5 FROM {delivery_events} WHERE delivery_id = $6",
            delivery_id,
            event,
            detail,
            now,
            now,
            delivery_id
        )?;
    }
    Ok(())
}

/// Begins the timelines of letters that were made and started in one: `queued`, then `sending`.
pub(crate) async fn begin(tx: &mut Tx<'_>, deliveries: &[Uuid]) -> Result<(), Error> {
    if deliveries.is_empty() {
        return Ok(());
    }
    let now = tx.now();
    let ids: Vec<String> = deliveries.iter().map(|id| id.simple().to_string()).collect();
    let sql = sql! {
        sqlite: "INSERT INTO {delivery_events} (delivery_id, seq, event, at, last_at)
             SELECT unhex(r.value), first.seq, first.event, $2, $3 FROM json_each($1) AS r
             CROSS JOIN (SELECT 1 AS seq, 'queued' AS event UNION ALL SELECT 2, 'sending') AS first",
        postgres: "INSERT INTO {delivery_events} (delivery_id, seq, event, at, last_at)
             SELECT r.id::uuid, first.seq, first.event, $2, $3 FROM jsonb_array_elements_text($1) AS r(id)
             CROSS JOIN (VALUES (1, 'queued'), (2, 'sending')) AS first(seq, event)",
    };
    execute!(tx, sql, Json(&ids), now, now)?;
    Ok(())
}

/// Something that happened to one of many letters.
#[derive(Debug, Clone, Serialize)]
pub struct NewEvent<'a> {
    /// Which letter.
    #[serde(serialize_with = "uuid::serde::simple::serialize")]
    pub id: Uuid,
    /// What.
    pub event: &'a str,
    /// What the mail server said, or why.
    pub detail: Option<&'a str>,
}

/// Adds to the timelines of many letters, one event each, as [`note`] does to one.
pub async fn note_many(tx: &mut Tx<'_>, events: &[NewEvent<'_>]) -> Result<(), Error> {
    if events.is_empty() {
        return Ok(());
    }
    let now = tx.now();
    if tx.dialect() == Dialect::Sqlite {
        execute!(
            tx,
            "UPDATE {delivery_events} SET times = times + 1, last_at = $2 FROM json_each($1) AS r
             WHERE delivery_id = unhex(r.value ->> 'id') AND event = r.value ->> 'event'
               AND coalesce(detail, '') = coalesce(r.value ->> 'detail', '')
               AND seq = (SELECT max(seq) FROM {delivery_events} AS l
                          WHERE l.delivery_id = unhex(r.value ->> 'id'))",
            Json(events),
            now
        )?;
    }
    let sql = sql! {
        // What the statement before this counted has its like as the last one.
        sqlite: "INSERT INTO {delivery_events} (delivery_id, seq, event, detail, at, last_at)
             SELECT unhex(r.value ->> 'id'), coalesce(l.seq, 0) + 1, r.value ->> 'event', r.value ->> 'detail', $2, $3
             FROM json_each($1) AS r LEFT JOIN {delivery_events} AS l
               ON l.delivery_id = unhex(r.value ->> 'id')
              AND l.seq = (SELECT max(seq) FROM {delivery_events} AS m
                           WHERE m.delivery_id = unhex(r.value ->> 'id'))
             WHERE l.seq IS NULL OR l.event <> r.value ->> 'event'
                OR coalesce(l.detail, '') <> coalesce(r.value ->> 'detail', '')",
        postgres: "WITH last AS MATERIALIZED (
                 SELECT r.id, r.event, r.detail, l.seq,
                        l.event = r.event AND coalesce(l.detail, '') = coalesce(r.detail, '') AS again
                 FROM jsonb_to_recordset($1) AS r(id uuid, event text, detail text)
                 LEFT JOIN LATERAL (SELECT seq, event, detail FROM {delivery_events} AS e
                     WHERE e.delivery_id = r.id ORDER BY seq DESC LIMIT 1) AS l ON true),
             counted AS (
                 UPDATE {delivery_events} AS e SET times = e.times + 1, last_at = $2 FROM last
                 WHERE last.again AND e.delivery_id = last.id AND e.seq = last.seq)
             INSERT INTO {delivery_events} (delivery_id, seq, event, detail, at, last_at)
             SELECT id, coalesce(seq, 0) + 1, event, detail, $2, $3 FROM last WHERE again IS NOT TRUE",
    };
    execute!(tx, sql, Json(events), now, now)?;
    Ok(())
}

/// Deletes the timelines of letters that are swept.
pub(crate) async fn delete(tx: &mut Tx<'_>, deliveries: &[Uuid]) -> Result<(), Error> {
    if deliveries.is_empty() {
        return Ok(());
    }
    let ids: Vec<String> = deliveries.iter().map(|id| id.simple().to_string()).collect();
    let sql = sql! {
        sqlite: "DELETE FROM {delivery_events} WHERE delivery_id IN (SELECT unhex(value) FROM json_each($1))",
        postgres: "DELETE FROM {delivery_events}
             WHERE delivery_id = ANY (ARRAY(SELECT jsonb_array_elements_text($1)::uuid))",
    };
    execute!(tx, sql, Json(&ids))?;
    Ok(())
}

/// The timeline of a letter, oldest first.
pub async fn of(tx: &mut Tx<'_>, delivery_id: Uuid) -> Result<Vec<DeliveryEventRow>, Error> {
    fetch_all!(
        tx,
        DeliveryEventRow,
        "SELECT event, detail, times, at, last_at FROM {delivery_events} WHERE delivery_id = $1 ORDER BY seq",
        delivery_id
    )
}
