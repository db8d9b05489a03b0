//! `deliveries`: what people, and servers that send letters back, decide about a letter.

use sqlx::types::Json;
use uuid::Uuid;

use crate::deliveries::DeliveryRow;
use crate::{Error, Tx};

/// Takes back a letter that nobody began to send, or that is put off; false if it is in another state.
pub async fn cancel(tx: &mut Tx<'_>, id: Uuid, reason: &str) -> Result<bool, Error> {
    let now = tx.now();
    let rows = execute!(
        tx,
        "UPDATE {deliveries} SET state = 'cancelled', reply = $2, next_attempt_at = NULL, updated_at = $3
         WHERE id = $1 AND state IN ('waiting', 'deferred')",
        id,
        reason,
        now
    )?;
    Ok(rows == 1)
}

/// Notes that the message of a letter that failed is kept among the dead letters.
pub async fn set_dead(tx: &mut Tx<'_>, id: Uuid) -> Result<(), Error> {
    execute!(tx, "UPDATE {deliveries} SET dead = 1 WHERE id = $1", id)?;
    Ok(())
}

/// Lets a letter wait again that failed before anybody began to send it; false if it is another one.
pub async fn reopen(tx: &mut Tx<'_>, id: Uuid) -> Result<bool, Error> {
    let now = tx.now();
    let rows = execute!(
        tx,
        "UPDATE {deliveries} SET state = 'waiting', reply = NULL, updated_at = $2
         WHERE id = $1 AND state = 'failed' AND starts = 0 AND resent_as IS NULL",
        id,
        now
    )?;
    Ok(rows == 1)
}

/// Notes which delivery repeats this one, and that its message is no longer among the dead letters; false if
/// another one does already, or if it has not ended.
pub async fn set_resent(tx: &mut Tx<'_>, id: Uuid, as_id: Uuid) -> Result<bool, Error> {
    let now = tx.now();
    let rows = execute!(
        tx,
        "UPDATE {deliveries} SET resent_as = $2, dead = 0, updated_at = $3
         WHERE id = $1 AND resent_as IS NULL AND state NOT IN ('waiting', 'sending', 'deferred')",
        id,
        as_id,
        now
    )?;
    Ok(rows == 1)
}

/// Notes that a letter that was taken came back; false if that was known, or if it was never given away.
pub async fn set_bounced(tx: &mut Tx<'_>, id: Uuid, reply: &str) -> Result<bool, Error> {
    let now = tx.now();
    let rows = execute!(
        tx,
        "UPDATE {deliveries} SET state = 'failed', bounced_at = $2, reply = $3, updated_at = $4
         WHERE id = $1 AND bounced_at IS NULL AND state IN ('sent', 'handed_over', 'unknown')",
        id,
        now,
        reply,
        now
    )?;
    Ok(rows == 1)
}

/// Letters about these (`user:ID`, `registration:ID`) or to an address of one of these hashes, newest first.
pub async fn of_reader(
    tx: &mut Tx<'_>,
    hashes: &[Vec<u8>],
    abouts: &[String],
    limit: i64,
) -> Result<Vec<DeliveryRow>, Error> {
    let hash = |n: usize| {
        hashes
            .get(n)
            .or(hashes.first())
            .map(Vec::as_slice)
            .unwrap_or_default()
    };
    let abouts = Json(abouts);
    let sql = sql! {
        sqlite: "SELECT * FROM {deliveries} WHERE recipient_hash IN ($1, $2, $3)
             OR (recipient_hash IS NULL AND about IN (SELECT value FROM json_each($4)))
             ORDER BY id DESC LIMIT $5",
        postgres: "SELECT * FROM {deliveries} WHERE recipient_hash IN ($1, $2, $3)
             OR (recipient_hash IS NULL AND about IN (SELECT jsonb_array_elements_text($4)))
             ORDER BY id DESC LIMIT $5",
    };
    fetch_all!(tx, DeliveryRow, sql, hash(0), hash(1), hash(2), abouts, limit)
}

/// Up to `limit` letters of a template that nobody began to send or that are put off, oldest first.
pub async fn cancellable(tx: &mut Tx<'_>, template: &str, limit: i64) -> Result<Vec<(Uuid, String)>, Error> {
    fetch_all!(
        tx,
        (Uuid, String),
        "SELECT id, queue FROM {deliveries} WHERE template = $1 AND state IN ('waiting', 'deferred')
         ORDER BY id LIMIT $2",
        template,
        limit
    )
}

/// How many letters of a template nobody began to send, or are put off.
pub async fn count_cancellable(tx: &mut Tx<'_>, template: &str) -> Result<i64, Error> {
    let (count,): (i64,) = fetch_one!(
        tx,
        (i64,),
        "SELECT count(*) FROM {deliveries} WHERE template = $1 AND state IN ('waiting', 'deferred')",
        template
    )?;
    Ok(count)
}

/// Lets letters that were put off by a pause go at once: those of a template, or all. What is put off for
/// another reason keeps its hour.
pub async fn hasten(tx: &mut Tx<'_>, template: Option<&str>) -> Result<u64, Error> {
    let now = tx.now();
    execute!(
        tx,
        "UPDATE {outbox} SET visible_at = $1
         WHERE visible_at > $2 AND lease IS NULL AND handed_at IS NULL AND id IN (
             SELECT id FROM {deliveries} WHERE ($3 = 1 OR template = $4) AND state IN ('waiting', 'deferred')
                AND (next_attempt_at IS NULL OR next_attempt_at <= $5))",
        now,
        now,
        i64::from(template.is_none()),
        template.unwrap_or_default(),
        now
    )
}
