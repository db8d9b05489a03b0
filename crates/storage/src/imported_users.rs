//! `imported_users`: whom another program called how.

use sqlx::types::Json;
use uuid::Uuid;

use crate::{Error, Timestamp, Tx, UserId};

/// One row, with what the account looks like now.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct ImportedRow {
    /// The other program's key.
    pub source_id: String,
    /// The account here; none once it was deleted.
    pub user_id: Option<Uuid>,
    /// A digest of the password string that the other program had when it was last read.
    pub password_digest: String,
    /// The password string here.
    pub password: Option<String>,
    /// When the password was last changed here; hashing the same one anew at a login is no change.
    pub password_changed_at: Option<Timestamp>,
}

/// Those of `source_ids` that were imported before.
pub async fn known(tx: &mut Tx<'_>, source_ids: &[String]) -> Result<Vec<ImportedRow>, Error> {
    fetch_all!(
        tx,
        ImportedRow,
        sql! {
            sqlite: "SELECT i.source_id, i.user_id, i.password_digest, u.password, u.password_changed_at FROM {imported_users} AS i
                     LEFT JOIN {users} AS u ON u.id = i.user_id
                     WHERE i.source_id IN (SELECT value FROM json_each($1))",
            postgres: "SELECT i.source_id, i.user_id, i.password_digest, u.password, u.password_changed_at FROM {imported_users} AS i
                       LEFT JOIN {users} AS u ON u.id = i.user_id
                       WHERE i.source_id IN (SELECT jsonb_array_elements_text($1))",
        },
        Json(source_ids.to_vec())
    )
}

/// Those of these accounts of ours that another program knows.
pub async fn of_users(tx: &mut Tx<'_>, user_ids: &[UserId]) -> Result<Vec<ImportedRow>, Error> {
    let mut rows = Vec::new();
    for id in user_ids {
        let row = fetch_optional!(
            tx,
            ImportedRow,
            "SELECT i.source_id, i.user_id, i.password_digest, u.password, u.password_changed_at
             FROM {imported_users} AS i LEFT JOIN {users} AS u ON u.id = i.user_id WHERE i.user_id = $1",
            id.uuid()
        )?;
        rows.extend(row);
    }
    Ok(rows)
}

/// Notes whom the other program calls `source_id`, or that its password string is another now.
pub async fn note(
    tx: &mut Tx<'_>,
    source_id: &str,
    user_id: UserId,
    password_digest: &str,
) -> Result<(), Error> {
    let now = tx.now();
    execute!(
        tx,
        "INSERT INTO {imported_users} (source_id, user_id, password_digest, imported_at) VALUES ($1, $2, $3, $4)
         ON CONFLICT (source_id) DO UPDATE
         SET user_id = excluded.user_id, password_digest = excluded.password_digest, imported_at = excluded.imported_at",
        source_id,
        user_id.uuid(),
        password_digest,
        now
    )?;
    Ok(())
}

/// Brings an account up to what the other program says by now, if its password is still the one that came from
/// there; whether it was.
pub async fn refresh(
    tx: &mut Tx<'_>,
    user_id: Uuid,
    old_password: &str,
    new_password: &str,
    active: bool,
    last_login_at: Option<Timestamp>,
) -> Result<bool, Error> {
    let now = tx.now();
    let rows = execute!(
        tx,
        "UPDATE {users} SET password = $1, active = $2, last_login_at = $3, updated_at = $4
         WHERE id = $5 AND password = $6",
        new_password,
        active,
        last_login_at,
        now,
        user_id,
        old_password
    )?;
    Ok(rows == 1)
}

/// The account here of whom the other program calls `source_id`.
pub async fn user_of(tx: &mut Tx<'_>, source_id: &str) -> Result<Option<UserId>, Error> {
    let row: Option<(Option<Uuid>,)> = fetch_optional!(
        tx,
        (Option<Uuid>,),
        "SELECT user_id FROM {imported_users} WHERE source_id = $1",
        source_id
    )?;
    Ok(row.and_then(|(id,)| id).map(UserId::from))
}
