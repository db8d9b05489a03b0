//! `users`: who has an account. The key of a person is the canonical address, computed by the caller.

use sqlx::types::Json;
use uuid::Uuid;

use crate::{Error, Timestamp, Tx, UserId};

/// One row of `users`.
#[derive(Clone, sqlx::FromRow)]
pub struct UserRow {
    /// What tokens and letters call this person.
    #[sqlx(try_from = "Uuid")]
    pub id: UserId,
    /// The address as it was given, tidied.
    pub email: String,
    /// The same address as it is compared.
    pub email_canonical: String,
    /// The hash, in Django's form; one that begins with `!` matches nothing.
    pub password: String,
    /// Whether the account may be used.
    pub active: bool,
    /// The language of letters.
    pub locale: String,
    /// Whatever the application keeps here.
    pub profile: Json<serde_json::Value>,
    /// When the row was made.
    pub created_at: Timestamp,
    /// When it was last changed by somebody.
    pub updated_at: Timestamp,
    /// When the address was confirmed.
    pub activated_at: Option<Timestamp>,
    /// When the password was last changed.
    pub password_changed_at: Option<Timestamp>,
    /// When somebody last logged in.
    pub last_login_at: Option<Timestamp>,
}

/// Hashes and addresses stay out of logs.
impl std::fmt::Debug for UserRow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("UserRow")
            .field("id", &self.id)
            .field("active", &self.active)
            .finish_non_exhaustive()
    }
}

/// Inserts a user; `false` if the canonical address or the id is taken.
pub async fn insert(tx: &mut Tx<'_>, user: &UserRow) -> Result<bool, Error> {
    let rows = execute!(
        tx,
        "INSERT INTO {users} (id, email, email_canonical, password, active, locale, profile, created_at,
             updated_at, activated_at, password_changed_at, last_login_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) ON CONFLICT DO NOTHING",
        user.id.uuid(),
        &user.email,
        &user.email_canonical,
        &user.password,
        user.active,
        &user.locale,
        &user.profile,
        user.created_at,
        user.updated_at,
        user.activated_at,
        user.password_changed_at,
        user.last_login_at,
    )?;
    Ok(rows == 1)
}

/// The user of this id.
pub async fn get(tx: &mut Tx<'_>, id: UserId) -> Result<Option<UserRow>, Error> {
    fetch_optional!(tx, UserRow, "SELECT * FROM {users} WHERE id = $1", id.uuid())
}

/// The user of this canonical address.
pub async fn by_email(tx: &mut Tx<'_>, email_canonical: &str) -> Result<Option<UserRow>, Error> {
    fetch_optional!(
        tx,
        UserRow,
        "SELECT * FROM {users} WHERE email_canonical = $1",
        email_canonical
    )
}

/// Users in the order of their ids, after `after` if it is given.
pub async fn list(tx: &mut Tx<'_>, after: Option<UserId>, limit: i64) -> Result<Vec<UserRow>, Error> {
    fetch_all!(
        tx,
        UserRow,
        "SELECT * FROM {users} WHERE id > $1 ORDER BY id LIMIT $2",
        after.and_then(UserId::uuid).unwrap_or_default(),
        limit
    )
}

/// How many there are.
pub async fn count(tx: &mut Tx<'_>) -> Result<i64, Error> {
    let (count,): (i64,) = fetch_one!(tx, (i64,), "SELECT count(*) FROM {users}")?;
    Ok(count)
}

/// Notes a login, and with `rehashed` puts the same password's newer hash in place of `hash`. `false` if
/// meanwhile the password was changed or the account deactivated: then nobody is logged in.
pub async fn note_login(
    tx: &mut Tx<'_>,
    id: UserId,
    hash: &str,
    rehashed: Option<&str>,
) -> Result<bool, Error> {
    let now = tx.now();
    let rows = execute!(
        tx,
        "UPDATE {users} SET last_login_at = $1, password = $2 WHERE id = $3 AND active AND password = $4",
        now,
        rehashed.unwrap_or(hash),
        id.uuid(),
        hash
    )?;
    Ok(rows == 1)
}

/// Sets another password in place of the hash `old`. `false` if that is no longer the hash, or the account
/// is not active.
pub async fn change_password(tx: &mut Tx<'_>, id: UserId, old: &str, new: &str) -> Result<bool, Error> {
    let now = tx.now();
    let rows = execute!(
        tx,
        "UPDATE {users} SET password = $1, password_changed_at = $2, updated_at = $2
         WHERE id = $3 AND active AND password = $4",
        new,
        now,
        id.uuid(),
        old
    )?;
    Ok(rows == 1)
}

/// Sets a password whatever stood there (an administrator, a reset link); `false` if there is no such user.
pub async fn set_password(tx: &mut Tx<'_>, id: UserId, new: &str) -> Result<bool, Error> {
    let now = tx.now();
    let rows = execute!(
        tx,
        "UPDATE {users} SET password = $1, password_changed_at = $2, updated_at = $2 WHERE id = $3",
        new,
        now,
        id.uuid()
    )?;
    Ok(rows == 1)
}

/// Switches the account on or off. `false` if it already stood so or there is no such user. The first time
/// it is switched on counts as its activation.
pub async fn set_active(tx: &mut Tx<'_>, id: UserId, active: bool) -> Result<bool, Error> {
    let now = tx.now();
    let rows = execute!(
        tx,
        "UPDATE {users} SET active = $1, updated_at = $2,
             activated_at = CASE WHEN $1 THEN coalesce(activated_at, $2) ELSE activated_at END
         WHERE id = $3 AND active <> $1",
        active,
        now,
        id.uuid()
    )?;
    Ok(rows == 1)
}

/// Activates an account whose address was never confirmed. `false` if it was, or there is no such user.
pub async fn activate(tx: &mut Tx<'_>, id: UserId) -> Result<bool, Error> {
    let now = tx.now();
    let rows = execute!(
        tx,
        "UPDATE {users} SET active = $1, activated_at = $2, updated_at = $2
         WHERE id = $3 AND activated_at IS NULL",
        true,
        now,
        id.uuid()
    )?;
    Ok(rows == 1)
}

/// Opens an account that was made for somebody and never confirmed, with the password that was just chosen. `false` if
/// it was confirmed, or there is no such user.
pub async fn accept_invitation(tx: &mut Tx<'_>, id: UserId, password: &str) -> Result<bool, Error> {
    let now = tx.now();
    let rows = execute!(
        tx,
        "UPDATE {users} SET password = $1, active = $2, activated_at = $3, updated_at = $3
         WHERE id = $4 AND activated_at IS NULL",
        password,
        true,
        now,
        id.uuid()
    )?;
    Ok(rows == 1)
}

/// Puts another address in the place of `old_canonical`. `false` if the account has another one by now, is not
/// active, or the new one is somebody else's. Somebody who takes it in the same moment makes this a
/// [unique violation](Error::is_unique_violation).
pub async fn change_email(
    tx: &mut Tx<'_>,
    id: UserId,
    old_canonical: &str,
    email: &str,
    email_canonical: &str,
) -> Result<bool, Error> {
    let now = tx.now();
    let rows = execute!(
        tx,
        "UPDATE {users} SET email = $1, email_canonical = $2, updated_at = $3
         WHERE id = $4 AND active AND email_canonical = $5
           AND NOT EXISTS (SELECT 1 FROM {users} AS others WHERE others.email_canonical = $2 AND others.id <> $4)",
        email,
        email_canonical,
        now,
        id.uuid(),
        old_canonical
    )?;
    Ok(rows == 1)
}

/// Changes what is given of locale and profile; `false` if there is no such user.
pub async fn update_profile(
    tx: &mut Tx<'_>,
    id: UserId,
    locale: Option<&str>,
    profile: Option<&serde_json::Value>,
) -> Result<bool, Error> {
    let now = tx.now();
    let rows = execute!(
        tx,
        "UPDATE {users} SET locale = coalesce($1, locale), profile = coalesce($2, profile), updated_at = $3
         WHERE id = $4",
        locale,
        profile.map(Json),
        now,
        id.uuid()
    )?;
    Ok(rows == 1)
}

/// Deletes the user; `false` if there was none.
pub async fn delete(tx: &mut Tx<'_>, id: UserId) -> Result<bool, Error> {
    Ok(execute!(tx, "DELETE FROM {users} WHERE id = $1", id.uuid())? == 1)
}
