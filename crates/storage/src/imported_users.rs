//! `imported_users`: whom another program called how.

use serde::Serialize;
use sqlx::types::Json;
use uuid::Uuid;

use crate::outbox_claims::micros_or_none;
use crate::users::UserRow;
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
    /// A digest of what else the other program said then; none from an early release.
    pub row_digest: Option<String>,
    /// The password string here.
    pub password: Option<String>,
    /// When the password was last changed here; hashing the same one anew at a login is no change.
    pub password_changed_at: Option<Timestamp>,
    /// The address here.
    pub email: Option<String>,
    /// Whether the account here may be used.
    pub active: Option<bool>,
    /// The language here.
    pub locale: Option<String>,
    /// The profile here.
    pub profile: Option<Json<serde_json::Value>>,
    /// When somebody last changed the account here.
    pub updated_at: Option<Timestamp>,
}

/// Those of `source_ids` that were imported before.
pub async fn known(tx: &mut Tx<'_>, source_ids: &[String]) -> Result<Vec<ImportedRow>, Error> {
    fetch_all!(
        tx,
        ImportedRow,
        sql! {
            sqlite: "SELECT i.source_id, i.user_id, i.password_digest, i.row_digest, u.password, u.password_changed_at,
                         u.email, u.active, u.locale, u.profile, u.updated_at
                     FROM {imported_users} AS i LEFT JOIN {users} AS u ON u.id = i.user_id
                     WHERE i.source_id IN (SELECT value FROM json_each($1))",
            postgres: "SELECT i.source_id, i.user_id, i.password_digest, i.row_digest, u.password, u.password_changed_at,
                           u.email, u.active, u.locale, u.profile, u.updated_at
                       FROM {imported_users} AS i LEFT JOIN {users} AS u ON u.id = i.user_id
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
            "SELECT i.source_id, i.user_id, i.password_digest, i.row_digest, u.password, u.password_changed_at,
                 u.email, u.active, u.locale, u.profile, u.updated_at
             FROM {imported_users} AS i LEFT JOIN {users} AS u ON u.id = i.user_id WHERE i.user_id = $1",
            id.uuid()
        )?;
        rows.extend(row);
    }
    Ok(rows)
}

/// One account to be, as the other program has it.
#[derive(Serialize)]
struct NewUser<'a> {
    #[serde(serialize_with = "uuid::serde::simple::serialize")]
    id: &'a Uuid,
    email: &'a str,
    email_canonical: &'a str,
    password: &'a str,
    active: bool,
    locale: &'a str,
    profile: &'a serde_json::Value,
    created_at: i64,
    updated_at: i64,
    #[serde(serialize_with = "micros_or_none")]
    activated_at: Option<Timestamp>,
    #[serde(serialize_with = "micros_or_none")]
    last_login_at: Option<Timestamp>,
}

/// Makes accounts of ours, and forgets the registrations that wait for their addresses; the ids of those that went in.
/// The address of the others, or their id, is taken; of several with one address the first goes in.
pub async fn insert_many(tx: &mut Tx<'_>, users: &[UserRow]) -> Result<Vec<Uuid>, Error> {
    let ids: Vec<Uuid> = users
        .iter()
        .map(|user| user.id.uuid().unwrap_or_default())
        .collect();
    let rows: Vec<NewUser<'_>> = users
        .iter()
        .zip(&ids)
        .map(|(user, id)| NewUser {
            id,
            email: &user.email,
            email_canonical: &user.email_canonical,
            password: &user.password,
            active: user.active,
            locale: &user.locale,
            profile: &user.profile,
            created_at: user.created_at.as_micros(),
            updated_at: user.updated_at.as_micros(),
            activated_at: user.activated_at,
            last_login_at: user.last_login_at,
        })
        .collect();
    let sql = sql! {
        sqlite: "INSERT INTO {users} (id, email, email_canonical, password, active, locale, profile, created_at,
                 updated_at, activated_at, last_login_at)
             SELECT unhex(r.value ->> 'id'), r.value ->> 'email', r.value ->> 'email_canonical',
                 r.value ->> 'password', r.value ->> 'active', r.value ->> 'locale', r.value -> 'profile',
                 r.value ->> 'created_at', r.value ->> 'updated_at', r.value ->> 'activated_at',
                 r.value ->> 'last_login_at'
             FROM json_each($1) AS r WHERE true ON CONFLICT DO NOTHING RETURNING id",
        postgres: "INSERT INTO {users} (id, email, email_canonical, password, active, locale, profile, created_at,
                 updated_at, activated_at, last_login_at)
             SELECT r.id, r.email, r.email_canonical, r.password, r.active, r.locale, r.profile,
                 'epoch'::timestamptz + r.created_at * interval '1 microsecond',
                 'epoch'::timestamptz + r.updated_at * interval '1 microsecond',
                 'epoch'::timestamptz + r.activated_at * interval '1 microsecond',
                 'epoch'::timestamptz + r.last_login_at * interval '1 microsecond'
             FROM jsonb_to_recordset($1) AS r(id uuid, email text, email_canonical text, password text, active boolean,
                 locale text, profile jsonb, created_at bigint, updated_at bigint, activated_at bigint,
                 last_login_at bigint)
             ON CONFLICT DO NOTHING RETURNING id",
    };
    let made: Vec<(Uuid,)> = fetch_all!(tx, (Uuid,), sql, Json(&rows))?;
    tx.count_rows(made.len() as u64);
    let addresses: Vec<&str> = users.iter().map(|user| user.email_canonical.as_str()).collect();
    execute!(
        tx,
        sql! {
            sqlite: "DELETE FROM {registrations} WHERE email_canonical IN (SELECT value FROM json_each($1))",
            postgres: "DELETE FROM {registrations} WHERE email_canonical IN (SELECT jsonb_array_elements_text($1))",
        },
        Json(&addresses)
    )?;
    Ok(made.into_iter().map(|(id,)| id).collect())
}

/// Those of these canonical addresses that an account of ours has.
pub async fn taken(tx: &mut Tx<'_>, addresses: &[String]) -> Result<Vec<String>, Error> {
    let rows: Vec<(String,)> = fetch_all!(
        tx,
        (String,),
        sql! {
            sqlite: "SELECT email_canonical FROM {users} WHERE email_canonical IN (SELECT value FROM json_each($1))",
            postgres: "SELECT email_canonical FROM {users}
                       WHERE email_canonical IN (SELECT jsonb_array_elements_text($1))",
        },
        Json(addresses)
    )?;
    Ok(rows.into_iter().map(|(address,)| address).collect())
}

/// Whom the other program calls how, and what it says of the account now.
#[derive(Debug, Serialize)]
pub struct Note {
    /// The other program's key.
    pub source_id: String,
    /// The account here.
    #[serde(serialize_with = "uuid::serde::simple::serialize")]
    pub user_id: Uuid,
    /// A digest of its password string there.
    pub password_digest: String,
    /// A digest of the rest.
    pub row_digest: String,
}

/// Notes many at once.
pub async fn note_many(tx: &mut Tx<'_>, notes: &[Note]) -> Result<(), Error> {
    let now = tx.now();
    execute!(
        tx,
        sql! {
            sqlite: "INSERT INTO {imported_users} (source_id, user_id, password_digest, row_digest, imported_at)
                     SELECT r.value ->> 'source_id', unhex(r.value ->> 'user_id'), r.value ->> 'password_digest',
                         r.value ->> 'row_digest', $2
                     FROM json_each($1) AS r WHERE true
                     ON CONFLICT (source_id) DO UPDATE SET user_id = excluded.user_id,
                         password_digest = excluded.password_digest, row_digest = excluded.row_digest,
                         imported_at = excluded.imported_at",
            postgres: "INSERT INTO {imported_users} (source_id, user_id, password_digest, row_digest, imported_at)
                       SELECT r.source_id, r.user_id, r.password_digest, r.row_digest, $2
                       FROM jsonb_to_recordset($1) AS r(source_id text, user_id uuid, password_digest text,
                           row_digest text)
                       ON CONFLICT (source_id) DO UPDATE SET user_id = excluded.user_id,
                           password_digest = excluded.password_digest, row_digest = excluded.row_digest,
                           imported_at = excluded.imported_at",
        },
        Json(notes),
        now
    )?;
    Ok(())
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

/// Brings an account up to what `new` says, if nobody has changed it here since it was read as `before`, and the address
/// is nobody else's; whether that was so. Its id is that of `before`.
pub async fn refresh(tx: &mut Tx<'_>, before: &ImportedRow, new: &UserRow) -> Result<bool, Error> {
    let now = tx.now();
    let rows = execute!(
        tx,
        "UPDATE {users} SET password = $1, active = $2, last_login_at = $3, email = $4, email_canonical = $5, locale = $6,
             profile = $7, activated_at = coalesce(activated_at, $8), updated_at = $9
         WHERE id = $10 AND password = $11 AND updated_at = $12 AND NOT EXISTS
             (SELECT 1 FROM {users} AS others WHERE others.email_canonical = $5 AND others.id <> $10)",
        &new.password,
        new.active,
        new.last_login_at,
        &new.email,
        &new.email_canonical,
        &new.locale,
        &new.profile,
        new.activated_at,
        now,
        before.user_id,
        &before.password,
        before.updated_at
    )?;
    Ok(rows == 1)
}

/// What the other program calls the account `user_id` of ours, if it knows it under another name.
pub async fn names_of(tx: &mut Tx<'_>, user_id: UserId) -> Result<Vec<String>, Error> {
    let Some(id) = user_id.uuid().filter(|_| tx.users().is_none()) else {
        return Ok(Vec::new());
    };
    let rows: Vec<(String,)> = fetch_all!(
        tx,
        (String,),
        "SELECT source_id FROM {imported_users} WHERE user_id = $1",
        id
    )?;
    let names = rows.into_iter().map(|(name,)| name);
    Ok(names.filter(|name| *name != user_id.to_string()).collect())
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
