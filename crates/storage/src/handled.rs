//! Table `handled`: ids of messages that were handled, so that a second copy is skipped.

use serde::Serialize;
use sqlx::types::Json;
use uuid::Uuid;

use crate::{Error, Timestamp, Tx};

#[derive(Serialize)]
struct Id(#[serde(serialize_with = "uuid::serde::simple::serialize")] Uuid);

/// Notes ids as handled.
pub async fn note(tx: &mut Tx<'_>, queue: &str, ids: &[Uuid]) -> Result<u64, Error> {
    if ids.is_empty() {
        return Ok(0);
    }
    let now = tx.now();
    let ids: Vec<Id> = ids.iter().copied().map(Id).collect();
    let sql = sql! {
        sqlite: "INSERT INTO {handled} (queue, id, handled_at) SELECT $1, unhex(r.value), $3 \
             FROM json_each($2) AS r WHERE true ON CONFLICT DO NOTHING",
        postgres: "INSERT INTO {handled} (queue, id, handled_at) SELECT $1, r::uuid, $3 \
             FROM jsonb_array_elements_text($2) AS r ON CONFLICT DO NOTHING",
    };
    execute!(tx, sql, queue, Json(&ids), now)
}

/// Which of the ids were handled.
pub async fn seen(tx: &mut Tx<'_>, queue: &str, ids: &[Uuid]) -> Result<Vec<Uuid>, Error> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let ids: Vec<Id> = ids.iter().copied().map(Id).collect();
    let sql = sql! {
        sqlite: "SELECT id FROM {handled} WHERE queue = $1 AND id IN (SELECT unhex(r.value) FROM json_each($2) AS r)",
        postgres: "SELECT id FROM {handled} WHERE queue = $1 \
             AND id IN (SELECT r::uuid FROM jsonb_array_elements_text($2) AS r)",
    };
    let rows: Vec<(Uuid,)> = fetch_all!(tx, (Uuid,), sql, queue, Json(&ids))?;
    Ok(rows.into_iter().map(|(id,)| id).collect())
}

/// Forgets up to `limit` ids that were handled before `before`.
pub async fn sweep(tx: &mut Tx<'_>, before: Timestamp, limit: i64) -> Result<u64, Error> {
    execute!(
        tx,
        "DELETE FROM {handled} WHERE (queue, id) IN \
         (SELECT queue, id FROM {handled} WHERE handled_at < $1 ORDER BY handled_at LIMIT $2)",
        before,
        limit
    )
}
