//! `admins`: who may use the console. `admin_links`: one-time links that set their passwords.
//!
//! Administrators are not users: an account of the service never opens the console.

use uuid::Uuid;

use crate::{Error, Timestamp, Tx};

/// One administrator.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct AdminRow {
    /// Its id.
    pub id: Uuid,
    /// The address, as it was given.
    pub email: String,
    /// `None` until the set-up link was used.
    pub password_hash: Option<String>,
    /// When it was made.
    pub created_at: Timestamp,
    /// The last login.
    pub last_login_at: Option<Timestamp>,
}

/// Makes an administrator without a password; `false` if the address is taken.
pub async fn insert(tx: &mut Tx<'_>, id: Uuid, email: &str, canonical: &str) -> Result<bool, Error> {
    let now = tx.now();
    let rows = execute!(
        tx,
        "INSERT INTO {admins} (id, email, canonical, created_at) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING",
        id,
        email,
        canonical,
        now
    )?;
    Ok(rows == 1)
}

/// The administrator of a canonical address.
pub async fn by_canonical(tx: &mut Tx<'_>, canonical: &str) -> Result<Option<AdminRow>, Error> {
    fetch_optional!(
        tx,
        AdminRow,
        "SELECT id, email, password_hash, created_at, last_login_at FROM {admins} WHERE canonical = $1",
        canonical
    )
}

/// The administrator of an id.
pub async fn by_id(tx: &mut Tx<'_>, id: Uuid) -> Result<Option<AdminRow>, Error> {
    fetch_optional!(
        tx,
        AdminRow,
        "SELECT id, email, password_hash, created_at, last_login_at FROM {admins} WHERE id = $1",
        id
    )
}

/// All of them, in the order in which they were made.
pub async fn list(tx: &mut Tx<'_>) -> Result<Vec<AdminRow>, Error> {
    fetch_all!(
        tx,
        AdminRow,
        "SELECT id, email, password_hash, created_at, last_login_at FROM {admins} ORDER BY created_at, id"
    )
}

/// How many can log in.
pub async fn count_set_up(tx: &mut Tx<'_>) -> Result<i64, Error> {
    let (count,): (i64,) = fetch_one!(
        tx,
        (i64,),
        "SELECT count(*) FROM {admins} WHERE password_hash IS NOT NULL"
    )?;
    Ok(count)
}

/// Sets a password; `false` if there is no such administrator.
pub async fn set_password(tx: &mut Tx<'_>, id: Uuid, hash: &str) -> Result<bool, Error> {
    let rows = execute!(
        tx,
        "UPDATE {admins} SET password_hash = $2 WHERE id = $1",
        id,
        hash
    )?;
    Ok(rows == 1)
}

/// Takes the password away, so that only a link lets in; `false` if there is no such administrator.
pub async fn clear_password(tx: &mut Tx<'_>, id: Uuid) -> Result<bool, Error> {
    let rows = execute!(tx, "UPDATE {admins} SET password_hash = NULL WHERE id = $1", id)?;
    Ok(rows == 1)
}

/// Notes that somebody logged in, now.
pub async fn note_login(tx: &mut Tx<'_>, id: Uuid) -> Result<(), Error> {
    let now = tx.now();
    execute!(
        tx,
        "UPDATE {admins} SET last_login_at = $2 WHERE id = $1",
        id,
        now
    )?;
    Ok(())
}

/// Keeps the hash of a link's token, for an administrator or for who will be the first one. Links that are
/// over go with it.
pub async fn add_link(
    tx: &mut Tx<'_>,
    token_hash: &[u8],
    admin_id: Option<Uuid>,
    expires_at: Timestamp,
) -> Result<(), Error> {
    let now = tx.now();
    execute!(tx, "DELETE FROM {admin_links} WHERE expires_at <= $1", now)?;
    execute!(
        tx,
        "INSERT INTO {admin_links} (token_hash, admin_id, expires_at) VALUES ($1, $2, $3)",
        token_hash,
        admin_id,
        expires_at
    )?;
    Ok(())
}

/// Whom a living link is for: `None` if there is no such link, `Some(None)` if it is for the first one.
pub async fn peek_link(tx: &mut Tx<'_>, token_hash: &[u8]) -> Result<Option<Option<Uuid>>, Error> {
    let now = tx.now();
    let row: Option<(Option<Uuid>,)> = fetch_optional!(
        tx,
        (Option<Uuid>,),
        "SELECT admin_id FROM {admin_links} WHERE token_hash = $1 AND expires_at > $2",
        token_hash,
        now
    )?;
    Ok(row.map(|(id,)| id))
}

/// Uses a link up; `true` for exactly one caller.
pub async fn take_link(tx: &mut Tx<'_>, token_hash: &[u8]) -> Result<bool, Error> {
    let now = tx.now();
    let rows = execute!(
        tx,
        "DELETE FROM {admin_links} WHERE token_hash = $1 AND expires_at > $2",
        token_hash,
        now
    )?;
    Ok(rows == 1)
}

/// Voids what else would let somebody set this administrator's password; with `None` the links for the first one.
pub async fn drop_links(tx: &mut Tx<'_>, admin_id: Option<Uuid>) -> Result<(), Error> {
    match admin_id {
        Some(id) => execute!(tx, "DELETE FROM {admin_links} WHERE admin_id = $1", id)?,
        None => execute!(tx, "DELETE FROM {admin_links} WHERE admin_id IS NULL")?,
    };
    Ok(())
}
