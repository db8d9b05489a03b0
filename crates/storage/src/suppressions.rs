//! `suppressions`: addresses that are left alone, by keyed hash.

use std::time::Duration;

use sqlx::types::Json;
use uuid::Uuid;

use crate::outbox::hex;
use crate::{Error, Timestamp, Tx};

/// Between two account letters that go to the same address although it is left alone.
const LETTER_EVERY: Duration = Duration::from_hours(24);

/// An address that is left alone.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct SuppressionRow {
    /// The address's keyed hash.
    pub recipient_hash: Vec<u8>,
    /// The address, masked.
    pub recipient: String,
    /// Why.
    pub reason: String,
    /// Since when.
    pub created_at: Timestamp,
    /// Who says so: `hand`, `refused` (by the mail server, at `RCPT`), `bounced` or `complaint`.
    pub source: String,
    /// When it ends by itself, if nothing comes back until then.
    pub ends_at: Option<Timestamp>,
    /// The account letter that went all the same, last.
    pub letter_id: Option<Uuid>,
    /// When it did.
    pub letter_at: Option<Timestamp>,
}

/// An address to be left alone.
#[derive(Debug, Clone, Copy)]
pub struct NewSuppression<'a> {
    /// See [`SuppressionRow::recipient_hash`].
    pub hash: &'a [u8],
    /// See [`SuppressionRow::recipient`].
    pub masked: &'a str,
    /// See [`SuppressionRow::source`].
    pub source: &'a str,
    /// See [`SuppressionRow::reason`].
    pub reason: &'a str,
}

/// Leaves an address alone; false if it was already. One that was to end by itself no longer does, and takes
/// the new reason; so does one that machines found out and a person now says.
pub async fn insert(tx: &mut Tx<'_>, new: &NewSuppression<'_>) -> Result<bool, Error> {
    let now = tx.now();
    let rows = execute!(
        tx,
        "INSERT INTO {suppressions} AS held (recipient_hash, recipient, reason, created_at, source)
         VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (recipient_hash) DO UPDATE SET reason = excluded.reason, source = excluded.source,
             created_at = excluded.created_at, ends_at = NULL
         WHERE held.ends_at IS NOT NULL
            OR (excluded.source IN ('hand', 'complaint') AND held.source IN ('refused', 'bounced'))",
        new.hash,
        new.masked,
        new.reason,
        now,
        new.source
    )?;
    Ok(rows == 1)
}

/// Writes to an address again, whatever was said; false if it was not left alone.
pub async fn delete(tx: &mut Tx<'_>, hash: &[u8]) -> Result<bool, Error> {
    Ok(execute!(tx, "DELETE FROM {suppressions} WHERE recipient_hash = $1", hash)? == 1)
}

/// The entries of those of the hashes that are left alone, in any number: one statement for many letters.
pub async fn among(tx: &mut Tx<'_>, hashes: &[[u8; 32]]) -> Result<Vec<SuppressionRow>, Error> {
    if hashes.is_empty() {
        return Ok(Vec::new());
    }
    let now = tx.now();
    let hashes: Vec<String> = hashes.iter().map(|hash| hex(hash)).collect();
    let sql = sql! {
        sqlite: "SELECT * FROM {suppressions} WHERE recipient_hash IN (SELECT unhex(value) FROM json_each($1))
             AND (ends_at IS NULL OR ends_at > $2)",
        postgres: "SELECT * FROM {suppressions}
             WHERE recipient_hash IN (SELECT decode(jsonb_array_elements_text($1), 'hex'))
             AND (ends_at IS NULL OR ends_at > $2)",
    };
    fetch_all!(tx, SuppressionRow, sql, Json(&hashes), now)
}

/// Lets an account letter through, one in 24 hours; false if another one had its turn. The same letter may try
/// as often as it needs.
pub async fn let_through(tx: &mut Tx<'_>, hash: &[u8], delivery_id: Uuid) -> Result<bool, Error> {
    let now = tx.now();
    let rows = execute!(
        tx,
        "UPDATE {suppressions} SET letter_id = $2, letter_at = $3
         WHERE recipient_hash = $1 AND (letter_id = $4 OR letter_at IS NULL OR letter_at <= $5)",
        hash,
        delivery_id,
        now,
        delivery_id,
        now - LETTER_EVERY
    )?;
    Ok(rows == 1)
}

/// A letter to the address was taken. What the mail server itself had refused is over; what had come back
/// later ends at `bounced_until`, unless it comes back again; what people said stays.
pub async fn clear_on_success(tx: &mut Tx<'_>, hash: &[u8], bounced_until: Timestamp) -> Result<bool, Error> {
    let cleared = execute!(
        tx,
        "DELETE FROM {suppressions} WHERE recipient_hash = $1 AND source = 'refused'",
        hash
    )?;
    let ending = execute!(
        tx,
        "UPDATE {suppressions} SET ends_at = $2
         WHERE recipient_hash = $1 AND source = 'bounced' AND ends_at IS NULL",
        hash,
        bounced_until
    )?;
    Ok(cleared + ending > 0)
}

/// Newest first.
pub async fn list(tx: &mut Tx<'_>, limit: i64) -> Result<Vec<SuppressionRow>, Error> {
    let now = tx.now();
    fetch_all!(
        tx,
        SuppressionRow,
        "SELECT * FROM {suppressions} WHERE ends_at IS NULL OR ends_at > $1 ORDER BY created_at DESC LIMIT $2",
        now,
        limit
    )
}

/// Deletes at most `limit` entries that have ended by themselves.
pub async fn sweep(tx: &mut Tx<'_>, limit: i64) -> Result<u64, Error> {
    let now = tx.now();
    execute!(
        tx,
        "DELETE FROM {suppressions} WHERE recipient_hash IN (
             SELECT recipient_hash FROM {suppressions} WHERE ends_at <= $1 LIMIT $2)",
        now,
        limit
    )
}
