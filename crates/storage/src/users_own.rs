//! Our own `users`.

use sqlx::types::Json;

use crate::users::UserRow;
use crate::{Dialect, Error, Tx, UserId};

pub(crate) async fn insert(tx: &mut Tx<'_>, user: &UserRow) -> Result<bool, Error> {
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

pub(crate) async fn get(tx: &mut Tx<'_>, id: UserId) -> Result<Option<UserRow>, Error> {
    fetch_optional!(tx, UserRow, "SELECT * FROM {users} WHERE id = $1", id.uuid())
}

pub(crate) async fn by_email(tx: &mut Tx<'_>, email_canonical: &str) -> Result<Option<UserRow>, Error> {
    fetch_optional!(
        tx,
        UserRow,
        "SELECT * FROM {users} WHERE email_canonical = $1",
        email_canonical
    )
}

pub(crate) async fn list(tx: &mut Tx<'_>, after: Option<UserId>, limit: i64) -> Result<Vec<UserRow>, Error> {
    fetch_all!(
        tx,
        UserRow,
        "SELECT * FROM {users} WHERE id > $1 ORDER BY id LIMIT $2",
        after.and_then(UserId::uuid).unwrap_or_default(),
        limit
    )
}

pub(crate) async fn count(tx: &mut Tx<'_>) -> Result<i64, Error> {
    let (count,): (i64,) = fetch_one!(tx, (i64,), "SELECT count(*) FROM {users}")?;
    Ok(count)
}

pub(crate) async fn note_login(
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

pub(crate) async fn change_password(
    tx: &mut Tx<'_>,
    id: UserId,
    old: &str,
    new: &str,
) -> Result<bool, Error> {
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

pub(crate) async fn set_password(tx: &mut Tx<'_>, id: UserId, new: &str) -> Result<bool, Error> {
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

pub(crate) async fn set_active(tx: &mut Tx<'_>, id: UserId, active: bool) -> Result<bool, Error> {
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

pub(crate) async fn activate(tx: &mut Tx<'_>, id: UserId) -> Result<bool, Error> {
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

pub(crate) async fn update_profile(
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

pub(crate) async fn delete(tx: &mut Tx<'_>, id: UserId) -> Result<bool, Error> {
    Ok(execute!(tx, "DELETE FROM {users} WHERE id = $1", id.uuid())? == 1)
}

/// Passwords from all over the table: the same ones again and again while it does not change.
pub(crate) async fn some_passwords(tx: &mut Tx<'_>, limit: i64) -> Result<Vec<String>, Error> {
    if tx.dialect() == Dialect::Postgres {
        let table = tx.expand("{users}".into()).to_string();
        return crate::users_django::some_passwords(tx, &table, "\"password\"", limit).await;
    }
    let rows: Vec<(String,)> = fetch_all!(
        tx,
        (String,),
        "WITH RECURSIVE step (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM step WHERE n < $1 - 1),
             highest (id) AS (SELECT max(rowid) FROM {users})
         SELECT u.password FROM highest, step JOIN {users} AS u ON u.rowid = 1 + step.n * highest.id / $1",
        limit
    )?;
    Ok(rows.into_iter().map(|(password,)| password).collect())
}
