//! `admin_sessions`: who is logged into the console.
//!
//! A session remembers a digest of the password hash that it was opened with, so that a new password ends it
//! however the password was changed.

use sha2::{Digest, Sha256};

use crate::admins::AdminRow;
use crate::{Error, Timestamp, Tx};

/// Opens a session; `false` if the administrator has no password to be logged in with. What has expired goes
/// on this occasion.
pub async fn insert(
    tx: &mut Tx<'_>,
    cookie_hash: &[u8; 32],
    admin: &AdminRow,
    expires_at: Timestamp,
) -> Result<bool, Error> {
    let Some(password) = &admin.password_hash else {
        return Ok(false);
    };
    let now = tx.now();
    execute!(tx, "DELETE FROM {admin_sessions} WHERE expires_at <= $1", now)?;
    let rows = execute!(
        tx,
        "INSERT INTO {admin_sessions} (cookie_hash, admin_id, password_digest, created_at, expires_at)
         VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING",
        cookie_hash.as_slice(),
        admin.id,
        digest(password),
        now,
        expires_at
    )?;
    Ok(rows == 1)
}

/// Whose living session this is.
pub async fn find_living(tx: &mut Tx<'_>, cookie_hash: &[u8; 32]) -> Result<Option<AdminRow>, Error> {
    let now = tx.now();
    let row = fetch_optional!(
        tx,
        (uuid::Uuid, Vec<u8>),
        "SELECT admin_id, password_digest FROM {admin_sessions} WHERE cookie_hash = $1 AND expires_at > $2",
        cookie_hash.as_slice(),
        now
    )?;
    let Some((admin_id, opened_with)) = row else {
        return Ok(None);
    };
    let admin = crate::admins::by_id(tx, admin_id).await?;
    Ok(admin.filter(|admin| {
        admin
            .password_hash
            .as_deref()
            .map(digest)
            .is_some_and(|now| now == opened_with)
    }))
}

/// Ends a session; `false` if there was none.
pub async fn delete(tx: &mut Tx<'_>, cookie_hash: &[u8; 32]) -> Result<bool, Error> {
    Ok(execute!(
        tx,
        "DELETE FROM {admin_sessions} WHERE cookie_hash = $1",
        cookie_hash.as_slice()
    )? == 1)
}

/// Ends what has expired as of `now`; how many.
pub async fn sweep(tx: &mut Tx<'_>, now: Timestamp) -> Result<u64, Error> {
    execute!(tx, "DELETE FROM {admin_sessions} WHERE expires_at <= $1", now)
}

fn digest(password_hash: &str) -> Vec<u8> {
    Sha256::digest(password_hash.as_bytes()).to_vec()
}
