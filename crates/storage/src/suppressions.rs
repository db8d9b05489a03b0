//! `suppressions`: addresses that nothing is sent to, by keyed hash.

use sqlx::types::Json;

use crate::outbox::hex;
use crate::{Error, Timestamp, Tx};

/// An address that is left alone.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct SuppressionRow {
    /// The address, masked.
    pub recipient: String,
    /// Why.
    pub reason: String,
    /// Since when.
    pub created_at: Timestamp,
}

/// Leaves an address alone; false if it was already.
pub async fn insert(tx: &mut Tx<'_>, hash: &[u8], masked: &str, reason: &str) -> Result<bool, Error> {
    let now = tx.now();
    let rows = execute!(
        tx,
        "INSERT INTO {suppressions} (recipient_hash, recipient, reason, created_at) VALUES ($1, $2, $3, $4)
         ON CONFLICT DO NOTHING",
        hash,
        masked,
        reason,
        now
    )?;
    Ok(rows == 1)
}

/// Writes to an address again; false if it was not left alone.
pub async fn delete(tx: &mut Tx<'_>, hash: &[u8]) -> Result<bool, Error> {
    Ok(execute!(tx, "DELETE FROM {suppressions} WHERE recipient_hash = $1", hash)? == 1)
}

/// Why the address is left alone, if it is.
pub async fn reason(tx: &mut Tx<'_>, hash: &[u8]) -> Result<Option<String>, Error> {
    let row: Option<(String,)> = fetch_optional!(
        tx,
        (String,),
        "SELECT reason FROM {suppressions} WHERE recipient_hash = $1",
        hash
    )?;
    Ok(row.map(|(reason,)| reason))
}

/// Those of `hashes` that are left alone, each with the reason.
pub async fn among(tx: &mut Tx<'_>, hashes: &[[u8; 32]]) -> Result<Vec<(Vec<u8>, String)>, Error> {
    let hashes: Vec<String> = hashes.iter().map(|bytes| hex(bytes)).collect();
    let sql = sql! {
        sqlite: "SELECT recipient_hash, reason FROM {suppressions} \
             WHERE recipient_hash IN (SELECT unhex(value) FROM json_each($1))",
        postgres: "SELECT recipient_hash, reason FROM {suppressions} \
             WHERE recipient_hash IN (SELECT decode(h, 'hex') FROM jsonb_array_elements_text($1) AS h)",
    };
    fetch_all!(tx, (Vec<u8>, String), sql, Json(hashes))
}

/// Newest first.
pub async fn list(tx: &mut Tx<'_>, limit: i64) -> Result<Vec<SuppressionRow>, Error> {
    fetch_all!(
        tx,
        SuppressionRow,
        "SELECT recipient, reason, created_at FROM {suppressions} ORDER BY created_at DESC LIMIT $1",
        limit
    )
}
