//! Who has an account: a row of our own `users`, or of another program's table (see [`UserTable`](crate::UserTable)). Callers need not
//! know which. The key of a person is the canonical address, computed by the caller.

use sqlx::types::Json;
use uuid::Uuid;

use crate::{Error, Timestamp, Tx, UserId, imported_users, users_django, users_own};

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
///
/// # Errors
/// [`Error::ElsewhereOnly`] for another program's table, which only that program inserts into.
pub async fn insert(tx: &mut Tx<'_>, user: &UserRow) -> Result<bool, Error> {
    match tx.users() {
        None => users_own::insert(tx, user).await,
        Some(_) => Err(Error::ElsewhereOnly("an account is made")),
    }
}

/// The user of this id.
pub async fn get(tx: &mut Tx<'_>, id: UserId) -> Result<Option<UserRow>, Error> {
    match tx.users() {
        None => users_own::get(tx, id).await,
        Some(table) => users_django::get(tx, &table, id).await,
    }
}

/// The user of this canonical address. In another program's table, which knows no canonical ones, whoever has it in
/// capitals or small letters; nobody, if several have it and none exactly so.
pub async fn by_email(tx: &mut Tx<'_>, email_canonical: &str) -> Result<Option<UserRow>, Error> {
    match tx.users() {
        None => users_own::by_email(tx, email_canonical).await,
        Some(table) => users_django::by_email(tx, &table, email_canonical).await,
    }
}

/// The user who logs in under this name: the canonical address in our table, exactly what stands in the column that
/// another program logs in by.
pub async fn by_username(tx: &mut Tx<'_>, username: &str) -> Result<Option<UserRow>, Error> {
    match tx.users() {
        None => users_own::by_email(tx, username).await,
        Some(table) => users_django::by_username(tx, &table, username).await,
    }
}

/// Users in the order of their ids, after `after` if it is given.
pub async fn list(tx: &mut Tx<'_>, after: Option<UserId>, limit: i64) -> Result<Vec<UserRow>, Error> {
    match tx.users() {
        None => users_own::list(tx, after, limit).await,
        Some(table) => users_django::list(tx, &table, after, limit).await,
    }
}

/// How many there are.
pub async fn count(tx: &mut Tx<'_>) -> Result<i64, Error> {
    match tx.users() {
        None => users_own::count(tx).await,
        Some(table) => users_django::count(tx, &table).await,
    }
}

/// Notes a login, and with `rehashed` puts the same password's newer hash in place of `hash`. `false` if
/// meanwhile the password was changed or the account deactivated: then nobody is logged in.
pub async fn note_login(
    tx: &mut Tx<'_>,
    id: UserId,
    hash: &str,
    rehashed: Option<&str>,
) -> Result<bool, Error> {
    match tx.users() {
        None => users_own::note_login(tx, id, hash, rehashed).await,
        Some(table) => users_django::note_login(tx, &table, id, hash, rehashed).await,
    }
}

/// Sets another password in place of the hash `old`. `false` if that is no longer the hash, or the account
/// is not active.
pub async fn change_password(tx: &mut Tx<'_>, id: UserId, old: &str, new: &str) -> Result<bool, Error> {
    match tx.users() {
        None => users_own::change_password(tx, id, old, new).await,
        Some(table) => users_django::change_password(tx, &table, id, old, new).await,
    }
}

/// Sets a password whatever stood there (an administrator, a reset link); `false` if there is no such user.
pub async fn set_password(tx: &mut Tx<'_>, id: UserId, new: &str) -> Result<bool, Error> {
    match tx.users() {
        None => users_own::set_password(tx, id, new).await,
        Some(table) => users_django::set_password(tx, &table, id, new).await,
    }
}

/// Switches the account on or off. `false` if it already stood so or there is no such user. The first time
/// it is switched on counts as its activation.
pub async fn set_active(tx: &mut Tx<'_>, id: UserId, active: bool) -> Result<bool, Error> {
    match tx.users() {
        None => users_own::set_active(tx, id, active).await,
        Some(table) => users_django::set_active(tx, &table, id, active).await,
    }
}

/// Activates an account whose address was never confirmed. `false` if it was, or there is no such user.
pub async fn activate(tx: &mut Tx<'_>, id: UserId) -> Result<bool, Error> {
    match tx.users() {
        None => users_own::activate(tx, id).await,
        Some(table) => users_django::activate(tx, &table, id).await,
    }
}

/// Opens an account that was made for somebody and never confirmed, with the password that was just chosen. `false` if
/// it was confirmed, or there is no such user.
pub async fn accept_invitation(tx: &mut Tx<'_>, id: UserId, password: &str) -> Result<bool, Error> {
    if tx.users().is_some() {
        return Err(Error::ElsewhereOnly("people are invited"));
    }
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
    if tx.users().is_some() {
        return Err(Error::ElsewhereOnly("an address is changed"));
    }
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
///
/// # Errors
/// [`Error::ElsewhereOnly`] for what another program's table has no column for.
pub async fn update_profile(
    tx: &mut Tx<'_>,
    id: UserId,
    locale: Option<&str>,
    profile: Option<&serde_json::Value>,
) -> Result<bool, Error> {
    match tx.users() {
        None => users_own::update_profile(tx, id, locale, profile).await,
        Some(table) => users_django::update_profile(tx, &table, id, locale, profile).await,
    }
}

/// Deletes the user; `false` if there was none.
///
/// # Errors
/// [`Error::ElsewhereOnly`] for another program's table: only that program knows what hangs on the row.
pub async fn delete(tx: &mut Tx<'_>, id: UserId) -> Result<bool, Error> {
    match tx.users() {
        None => users_own::delete(tx, id).await,
        Some(_) => Err(Error::ElsewhereOnly("an account is deleted")),
    }
}

/// Stored passwords from all over the table, at most `limit`: for what kinds there are, and how many of each.
pub async fn some_passwords(tx: &mut Tx<'_>, limit: i64) -> Result<Vec<String>, Error> {
    match tx.users() {
        None => users_own::some_passwords(tx, limit).await,
        Some(table) => users_django::some_passwords(tx, table.table(), table.password(), limit).await,
    }
}

/// Who is called `id` in a token that another program made before its users moved here: the account that was imported
/// under that key, or whoever has the id itself. `None` if nobody was, or the account was deleted since.
pub async fn resolve(tx: &mut Tx<'_>, id: UserId) -> Result<Option<UserId>, Error> {
    match (tx.users(), id) {
        (None, UserId::Integer(_)) => imported_users::user_of(tx, &id.to_string()).await,
        _ => Ok(Some(id)),
    }
}
