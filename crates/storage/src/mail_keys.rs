//! `mail_keys`: idempotency keys of requests for mail, written in the transaction that they guard.

use uuid::Uuid;

use crate::{Error, Timestamp, Tx};

/// What a key was used for.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct MailKeyRow {
    /// A digest of the request.
    pub digest: Vec<u8>,
    /// The mail it asked for.
    pub delivery_id: Uuid,
}

/// Uses a key; false if it is in use. One whose time is over is free again.
pub async fn claim(
    tx: &mut Tx<'_>,
    scope: &str,
    key_hash: &[u8],
    digest: &[u8],
    delivery_id: Uuid,
    expires_at: Timestamp,
) -> Result<bool, Error> {
    let now = tx.now();
    let rows = execute!(
        tx,
        "INSERT INTO {mail_keys} AS held (scope, key_hash, digest, delivery_id, expires_at) VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (scope, key_hash) DO UPDATE SET digest = excluded.digest, delivery_id = excluded.delivery_id,
             expires_at = excluded.expires_at
         WHERE held.expires_at <= $6",
        scope,
        key_hash,
        digest,
        delivery_id,
        expires_at,
        now
    )?;
    Ok(rows == 1)
}

/// What a key in use was used for.
pub async fn get(tx: &mut Tx<'_>, scope: &str, key_hash: &[u8]) -> Result<Option<MailKeyRow>, Error> {
    fetch_optional!(
        tx,
        MailKeyRow,
        "SELECT digest, delivery_id FROM {mail_keys} WHERE scope = $1 AND key_hash = $2",
        scope,
        key_hash
    )
}

/// Deletes at most `limit` keys whose time is over.
pub async fn sweep(tx: &mut Tx<'_>, limit: i64) -> Result<u64, Error> {
    let now = tx.now();
    execute!(
        tx,
        "DELETE FROM {mail_keys} WHERE (scope, key_hash) IN (
             SELECT scope, key_hash FROM {mail_keys} WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2)",
        now,
        limit
    )
}
