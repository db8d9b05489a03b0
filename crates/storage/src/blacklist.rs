//! `blacklist`: tokens that were used up or revoked one by one, by their `jti`. Never the token itself.

use sqlx::types::Json;

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

/// The token that is to be used up, if its subject's [generation](crate::generations) still lets it count.
#[derive(Debug, Clone, Copy)]
pub struct Use<'a> {
    /// Its `jti`.
    pub jti: &'a str,
    /// When its row may be forgotten.
    pub expires_at: Timestamp,
    /// Whose it is.
    pub subject: &'a str,
    /// The class of its purpose.
    pub class: &'a str,
    /// The number that it carries.
    pub generation: i64,
}

/// What became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Used {
    /// This call is the one that used it.
    Won,
    /// Its `jti` is there already: [`reason`] says why.
    Dead,
    /// Its subject's generation is above its own; nothing was written.
    Outdated,
}

/// [`generations::current`](crate::generations::current) and, unless that is above the token's, [`insert`] as `used`: in one
/// journey to PostgreSQL.
pub async fn use_up(tx: &mut Tx<'_>, token: &Use<'_>) -> Result<Used, Error> {
    if tx.dialect() == crate::Dialect::Sqlite {
        if token.generation < crate::generations::current(tx, token.subject, token.class).await? {
            return Ok(Used::Outdated);
        }
        let won = insert(tx, token.jti, "used", token.expires_at).await?;
        return Ok(if won { Used::Won } else { Used::Dead });
    }
    let (current, won): (i64, bool) = fetch_one!(
        tx,
        (i64, bool),
        sql! {
            sqlite: "SELECT 0, FALSE",
            postgres: "WITH standing AS (SELECT COALESCE(MAX(generation), 0) AS current FROM {generations}
                                         WHERE subject = $1 AND class IN ($2, '*')),
                       used AS (INSERT INTO {blacklist} (jti, reason, expires_at)
                                SELECT $3, 'used', $4 FROM standing WHERE current <= $5
                                ON CONFLICT DO NOTHING RETURNING jti)
                       SELECT current, EXISTS (SELECT 1 FROM used) FROM standing",
        },
        token.subject,
        token.class,
        token.jti,
        token.expires_at,
        token.generation
    )?;
    Ok(match (won, current > token.generation) {
        (true, _) => Used::Won,
        (false, true) => Used::Outdated,
        (false, false) => Used::Dead,
    })
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

/// Up to `limit` rows whose tokens have expired, by what [`forget`] finds them by: on PostgreSQL their places in the table,
/// next to each other, where their names are all over an index.
pub async fn expired(tx: &mut Tx<'_>, limit: i64) -> Result<Vec<String>, Error> {
    let now = tx.now();
    let sql = sql! {
        sqlite: "SELECT jti FROM {blacklist} WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2",
        postgres: "SELECT ctid::text FROM {blacklist} WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2",
    };
    let rows: Vec<(String,)> = fetch_all!(tx, (String,), sql, now, limit)?;
    Ok(rows.into_iter().map(|(row,)| row).collect())
}

/// Forgets those of these rows whose tokens have expired, which holds for whatever may have come to such a place
/// meanwhile; how many.
pub async fn forget(tx: &mut Tx<'_>, rows: &[String]) -> Result<u64, Error> {
    let now = tx.now();
    execute!(
        tx,
        sql! {
            sqlite: "DELETE FROM {blacklist} WHERE jti IN (SELECT value FROM json_each($1)) AND expires_at <= $2",
            postgres: "DELETE FROM {blacklist} WHERE ctid = ANY (ARRAY(SELECT jsonb_array_elements_text($1)::tid)) \
                       AND expires_at <= $2",
        },
        Json(rows),
        now
    )
}
