//! `blacklist`: tokens that were used up or revoked one by one, by their `jti`. Never the token itself.

use crate::{Error, Timestamp, Tx};

/// Remembers that the token was `used` or `revoked`; whether this call was the one that did.
///
/// The row is forgotten after `expires_at`, when no token of this `jti` can be alive.
pub async fn insert(tx: &mut Tx<'_>, jti: &str, reason: &str, expires_at: Timestamp) -> Result<bool, Error> {
    let rows = execute!(
        tx,
        "INSERT INTO {blacklist} (jti, reason, expires_at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
        jti,
        reason,
        expires_at
    )?;
    Ok(rows == 1)
}

/// Why the token is dead, `used` or `revoked`, if it is.
pub async fn reason(tx: &mut Tx<'_>, jti: &str) -> Result<Option<String>, Error> {
    let row: Option<(String,)> = fetch_optional!(
        tx,
        (String,),
        "SELECT reason FROM {blacklist} WHERE jti = $1",
        jti
    )?;
    Ok(row.map(|(reason,)| reason))
}

/// How many rows there are, and how many of them have expired and wait for the sweep.
pub async fn count(tx: &mut Tx<'_>) -> Result<(i64, i64), Error> {
    let now = tx.now();
    fetch_one!(
        tx,
        (i64, i64),
        "SELECT COUNT(*), COUNT(CASE WHEN expires_at <= $1 THEN 1 END) FROM {blacklist}",
        now
    )
}

/// Forgets up to `limit` rows whose tokens have expired; how many. Two who do so at once share the work.
pub async fn sweep(tx: &mut Tx<'_>, limit: i64) -> Result<u64, Error> {
    let now = tx.now();
    execute!(
        tx,
        sql! {
            sqlite: "DELETE FROM {blacklist} WHERE jti IN
                     (SELECT jti FROM {blacklist} WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2)",
            postgres: "DELETE FROM {blacklist} WHERE jti = ANY (ARRAY
                       (SELECT jti FROM {blacklist} WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2
                        FOR UPDATE SKIP LOCKED))",
        },
        now,
        limit
    )
}
