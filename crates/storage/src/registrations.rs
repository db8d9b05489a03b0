//! `registrations`: accounts that somebody asked for and whose address nobody has confirmed yet. Several may
//! stand for one address; the link of one activates that one and voids the others.

use sqlx::types::Json;
use uuid::Uuid;

use crate::{Error, Timestamp, Tx};

/// One row of `registrations`.
#[derive(Clone, sqlx::FromRow)]
pub struct RegistrationRow {
    /// Becomes the id of the user.
    pub id: Uuid,
    /// The address as it was given, tidied.
    pub email: String,
    /// The same address as it is compared.
    pub email_canonical: String,
    /// The hash of the password that was chosen with it.
    pub password: String,
    /// The language of letters.
    pub locale: String,
    /// Whatever the application sent along.
    pub profile: Json<serde_json::Value>,
    /// When it was asked for; the page and the letter say so.
    pub requested_at: Timestamp,
    /// When it is forgotten.
    pub expires_at: Timestamp,
}

/// Hashes and addresses stay out of logs.
impl std::fmt::Debug for RegistrationRow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RegistrationRow")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

/// Inserts a pending registration; `false` if this one is already there.
pub async fn insert(tx: &mut Tx<'_>, row: &RegistrationRow) -> Result<bool, Error> {
    let rows = execute!(
        tx,
        "INSERT INTO {registrations} (id, email, email_canonical, password, locale, profile, requested_at, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING",
        row.id,
        &row.email,
        &row.email_canonical,
        &row.password,
        &row.locale,
        &row.profile,
        row.requested_at,
        row.expires_at,
    )?;
    Ok(rows == 1)
}

/// The registration of this id, while it lives.
pub async fn get(tx: &mut Tx<'_>, id: Uuid) -> Result<Option<RegistrationRow>, Error> {
    let now = tx.now();
    fetch_optional!(
        tx,
        RegistrationRow,
        "SELECT * FROM {registrations} WHERE id = $1 AND expires_at > $2",
        id,
        now
    )
}

/// The living registrations of an address, newest first.
pub async fn by_email(
    tx: &mut Tx<'_>,
    email_canonical: &str,
    limit: i64,
) -> Result<Vec<RegistrationRow>, Error> {
    let now = tx.now();
    fetch_all!(
        tx,
        RegistrationRow,
        "SELECT * FROM {registrations} WHERE email_canonical = $1 AND expires_at > $2
         ORDER BY requested_at DESC, id DESC LIMIT $3",
        email_canonical,
        now,
        limit
    )
}

/// Takes the registration out: whoever gets the row has it alone.
pub async fn take(tx: &mut Tx<'_>, id: Uuid) -> Result<Option<RegistrationRow>, Error> {
    let now = tx.now();
    fetch_optional!(
        tx,
        RegistrationRow,
        "DELETE FROM {registrations} WHERE id = $1 AND expires_at > $2 RETURNING *",
        id,
        now
    )
}

/// Voids whatever else is pending for an address; how many.
pub async fn void_email(tx: &mut Tx<'_>, email_canonical: &str) -> Result<u64, Error> {
    execute!(
        tx,
        "DELETE FROM {registrations} WHERE email_canonical = $1",
        email_canonical
    )
}

/// Deletes what nobody confirmed in time, at most `batch` rows; how many.
pub async fn sweep(tx: &mut Tx<'_>, batch: i64) -> Result<u64, Error> {
    let now = tx.now();
    execute!(
        tx,
        "DELETE FROM {registrations} WHERE id IN
             (SELECT id FROM {registrations} WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2)",
        now,
        batch
    )
}
