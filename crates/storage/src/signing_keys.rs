//! `signing_keys`: keys that sign tokens, sealed, and the names of derived keys that count no more.

use crate::{Error, Timestamp, Tx, revocation_log};

/// One key.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct SigningKeyRow {
    /// Its name.
    pub kid: String,
    /// Its place: one higher than that of the key made before it.
    pub number: i64,
    /// What it signs with.
    pub algorithm: String,
    /// The purposes it is for, with a space between them.
    pub purposes: String,
    /// The private key, sealed; none of a derived key.
    pub sealed: Option<Vec<u8>>,
    /// The fingerprint of the secret that it is sealed with.
    pub sealed_by: Option<String>,
    /// For how many seconds the tokens that it signs may live.
    pub lives: i64,
    /// When it was made.
    pub created_at: Timestamp,
    /// From when on it signs.
    pub signs_from: Timestamp,
    /// From when on it counts no more.
    pub retired_at: Option<Timestamp>,
}

/// What changes with every change of the table that matters to who signs or verifies.
pub type Version = (i64, i64, i64);

/// The table's version, in one look.
pub async fn version(tx: &mut Tx<'_>) -> Result<Version, Error> {
    fetch_one!(
        tx,
        Version,
        "SELECT COUNT(*), COALESCE(MAX(number), 0), COUNT(retired_at) FROM {signing_keys}"
    )
}

/// Every key, in the order in which they were made.
pub async fn list(tx: &mut Tx<'_>) -> Result<Vec<SigningKeyRow>, Error> {
    fetch_all!(
        tx,
        SigningKeyRow,
        "SELECT kid, number, algorithm, purposes, sealed, sealed_by, lives, created_at, signs_from, retired_at
         FROM {signing_keys} ORDER BY number"
    )
}

/// As [`list`]; until the end of the transaction nobody else retires any of them.
pub async fn list_locked(tx: &mut Tx<'_>) -> Result<Vec<SigningKeyRow>, Error> {
    fetch_all!(
        tx,
        SigningKeyRow,
        sql! {
            sqlite: "SELECT kid, number, algorithm, purposes, sealed, sealed_by, lives, created_at, signs_from, retired_at
                     FROM {signing_keys} ORDER BY number",
            postgres: "SELECT kid, number, algorithm, purposes, sealed, sealed_by, lives, created_at, signs_from, retired_at
                       FROM {signing_keys} ORDER BY number FOR UPDATE",
        }
    )
}

/// Adds a key and tells every instance, once this is committed; whether its number and its name were free.
pub async fn insert(tx: &mut Tx<'_>, row: &SigningKeyRow) -> Result<bool, Error> {
    let rows = execute!(
        tx,
        "INSERT INTO {signing_keys}
         (kid, number, algorithm, purposes, sealed, sealed_by, lives, created_at, signs_from, retired_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT DO NOTHING",
        &row.kid,
        row.number,
        &row.algorithm,
        &row.purposes,
        row.sealed.as_deref(),
        row.sealed_by.as_deref(),
        row.lives,
        row.created_at,
        row.signs_from,
        row.retired_at
    )?;
    tx.wake(revocation_log::TOPIC);
    Ok(rows == 1)
}

/// From now on the key counts no more; whether it did.
pub async fn retire(tx: &mut Tx<'_>, kid: &str) -> Result<bool, Error> {
    let now = tx.now();
    let rows = execute!(
        tx,
        "UPDATE {signing_keys} SET retired_at = $2 WHERE kid = $1 AND retired_at IS NULL",
        kid,
        now
    )?;
    tx.wake(revocation_log::TOPIC);
    Ok(rows == 1)
}

/// Puts the same key there sealed with another secret; whether the old one's was still there.
pub async fn reseal(
    tx: &mut Tx<'_>,
    kid: &str,
    instead_of: &str,
    sealed: &[u8],
    sealed_by: &str,
) -> Result<bool, Error> {
    let rows = execute!(
        tx,
        "UPDATE {signing_keys} SET sealed = $3, sealed_by = $4 WHERE kid = $1 AND sealed_by = $2",
        kid,
        instead_of,
        sealed,
        sealed_by
    )?;
    Ok(rows == 1)
}

/// Its tokens may live so long now; whether that is longer than before.
pub async fn raise_lives(tx: &mut Tx<'_>, kid: &str, lives: i64) -> Result<bool, Error> {
    let rows = execute!(
        tx,
        "UPDATE {signing_keys} SET lives = $2 WHERE kid = $1 AND lives < $2",
        kid,
        lives
    )?;
    Ok(rows == 1)
}

/// Forgets a key that nothing alive was signed with; whether it was there.
pub async fn forget(tx: &mut Tx<'_>, kid: &str) -> Result<bool, Error> {
    let rows = execute!(
        tx,
        "DELETE FROM {signing_keys} WHERE kid = $1 AND sealed IS NOT NULL",
        kid
    )?;
    Ok(rows == 1)
}
