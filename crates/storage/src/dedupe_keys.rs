//! Table `dedupe_keys`: keys under which a publisher says the same thing once.

use uuid::Uuid;

use crate::{Error, Timestamp, Tx};

/// Takes the key for message `id` until `expires_at`. The id that has it: `id` itself if this won, else
/// that of the message which took it first.
pub async fn take(
    tx: &mut Tx<'_>,
    queue: &str,
    key: &str,
    id: Uuid,
    expires_at: Timestamp,
) -> Result<Uuid, Error> {
    let now = tx.now();
    // An update that changes nothing gives back the row that stands, at every isolation level.
    let (holder,): (Uuid,) = fetch_one!(
        tx,
        (Uuid,),
        "INSERT INTO {dedupe_keys} AS k (queue, key, id, expires_at) VALUES ($1, $2, $3, $4) \
         ON CONFLICT (queue, key) DO UPDATE SET \
         id = CASE WHEN k.expires_at <= $5 THEN excluded.id ELSE k.id END, \
         expires_at = CASE WHEN k.expires_at <= $5 THEN excluded.expires_at ELSE k.expires_at END RETURNING id",
        queue,
        key,
        id,
        expires_at,
        now
    )?;
    Ok(holder)
}

/// Forgets up to `limit` keys whose time is over.
pub async fn sweep(tx: &mut Tx<'_>, limit: i64) -> Result<u64, Error> {
    let now = tx.now();
    execute!(
        tx,
        "DELETE FROM {dedupe_keys} WHERE (queue, key) IN \
         (SELECT queue, key FROM {dedupe_keys} WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2)",
        now,
        limit
    )
}
