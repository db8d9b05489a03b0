//! `api_keys`: keys of programs that use the service API. The key itself is nowhere; its SHA-256 is.

use uuid::Uuid;

use crate::{Error, Timestamp, Tx, new_id};

/// Who keeps keys in memory is woken when one is revoked.
pub const TOPIC: &str = "api_keys";

/// One row of `api_keys`.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct ApiKeyRow {
    /// The key's id; no secret.
    pub id: Uuid,
    /// What people call it; one living key has it.
    pub name: String,
    /// Its scopes, one space between them, as the server parses them.
    pub scopes: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last presented, exact to a minute.
    pub last_used_at: Option<Timestamp>,
    /// When it was revoked; it does nothing since.
    pub revoked_at: Option<Timestamp>,
}

/// Keeps a new key; `None` if a living key has this name.
pub async fn insert(
    tx: &mut Tx<'_>,
    name: &str,
    key_hash: &[u8; 32],
    scopes: &str,
) -> Result<Option<Uuid>, Error> {
    let now = tx.now();
    let id = new_id(now);
    let rows = execute!(
        tx,
        "INSERT INTO {api_keys} (id, name, key_hash, scopes, created_at) VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT DO NOTHING",
        id,
        name,
        key_hash.as_slice(),
        scopes,
        now
    )?;
    Ok((rows == 1).then_some(id))
}

/// The living key with this hash.
pub async fn find_living(tx: &mut Tx<'_>, key_hash: &[u8; 32]) -> Result<Option<ApiKeyRow>, Error> {
    fetch_optional!(
        tx,
        ApiKeyRow,
        "SELECT id, name, scopes, created_at, last_used_at, revoked_at FROM {api_keys}
         WHERE key_hash = $1 AND revoked_at IS NULL",
        key_hash.as_slice()
    )
}

/// Notes that a key was presented, unless that was noted since `unless_since`; whether it was noted.
pub async fn touch(tx: &mut Tx<'_>, id: Uuid, unless_since: Timestamp) -> Result<bool, Error> {
    let now = tx.now();
    let rows = execute!(
        tx,
        "UPDATE {api_keys} SET last_used_at = $1 WHERE id = $2 AND (last_used_at IS NULL OR last_used_at <= $3)",
        now,
        id,
        unless_since
    )?;
    Ok(rows == 1)
}

/// Revokes the living key of this name; whether there was one.
pub async fn revoke(tx: &mut Tx<'_>, name: &str) -> Result<bool, Error> {
    let now = tx.now();
    let rows = execute!(
        tx,
        "UPDATE {api_keys} SET revoked_at = $1 WHERE name = $2 AND revoked_at IS NULL",
        now,
        name
    )?;
    tx.wake(TOPIC);
    Ok(rows == 1)
}

/// All keys, the revoked ones too, in the order in which they were made.
pub async fn list(tx: &mut Tx<'_>) -> Result<Vec<ApiKeyRow>, Error> {
    fetch_all!(
        tx,
        ApiKeyRow,
        "SELECT id, name, scopes, created_at, last_used_at, revoked_at FROM {api_keys} ORDER BY created_at, id"
    )
}
