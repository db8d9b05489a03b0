//! `email_changes`: another address for an account, that nobody has confirmed yet. Several may stand for one account;
//! the link of the newest letter decides.

use uuid::Uuid;

use crate::{Error, Timestamp, Tx};

/// One row of `email_changes`.
#[derive(Clone, sqlx::FromRow)]
pub struct EmailChangeRow {
    /// Its id, which its link carries.
    pub id: Uuid,
    /// Whose account: the id of the user as text.
    pub subject: String,
    /// The address to be, as it was given, tidied.
    pub email: String,
    /// The same as it is compared.
    pub email_canonical: String,
    /// The address of the account when it was asked for.
    pub old_email: String,
    /// The same as it is compared.
    pub old_canonical: String,
    /// When it was asked for.
    pub requested_at: Timestamp,
    /// When its link was pressed, if it was.
    pub confirmed_at: Option<Timestamp>,
    /// When it is forgotten.
    pub expires_at: Timestamp,
}

/// Addresses stay out of logs.
impl std::fmt::Debug for EmailChangeRow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EmailChangeRow")
            .field("id", &self.id)
            .field("subject", &self.subject)
            .finish_non_exhaustive()
    }
}

/// Inserts a wish; `false` if this one is already there.
pub async fn insert(tx: &mut Tx<'_>, row: &EmailChangeRow) -> Result<bool, Error> {
    let rows = execute!(
        tx,
        "INSERT INTO {email_changes} (id, subject, email, email_canonical, old_email, old_canonical, requested_at,
             confirmed_at, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT DO NOTHING",
        row.id,
        &row.subject,
        &row.email,
        &row.email_canonical,
        &row.old_email,
        &row.old_canonical,
        row.requested_at,
        row.confirmed_at,
        row.expires_at,
    )?;
    Ok(rows == 1)
}

/// The change of this id, confirmed or not, until it is forgotten.
pub async fn get(tx: &mut Tx<'_>, id: Uuid) -> Result<Option<EmailChangeRow>, Error> {
    let now = tx.now();
    fetch_optional!(
        tx,
        EmailChangeRow,
        "SELECT * FROM {email_changes} WHERE id = $1 AND expires_at > $2",
        id,
        now
    )
}

/// The newest change of an account that waits for its link.
pub async fn newest_waiting(tx: &mut Tx<'_>, subject: &str) -> Result<Option<EmailChangeRow>, Error> {
    let now = tx.now();
    fetch_optional!(
        tx,
        EmailChangeRow,
        "SELECT * FROM {email_changes} WHERE subject = $1 AND confirmed_at IS NULL AND expires_at > $2
         ORDER BY requested_at DESC, id DESC LIMIT 1",
        subject,
        now
    )
}

/// Notes that the link of a change was pressed, and keeps it until `until` for the letters about it: whoever gets the
/// row was the one.
pub async fn confirm(
    tx: &mut Tx<'_>,
    id: Uuid,
    subject: &str,
    until: Timestamp,
) -> Result<Option<EmailChangeRow>, Error> {
    let now = tx.now();
    fetch_optional!(
        tx,
        EmailChangeRow,
        "UPDATE {email_changes} SET confirmed_at = $3, expires_at = $4
         WHERE id = $1 AND subject = $2 AND confirmed_at IS NULL AND expires_at > $3 RETURNING *",
        id,
        subject,
        now,
        until
    )
}

/// Takes a change back that nobody confirmed; whether it was there.
pub async fn withdraw(tx: &mut Tx<'_>, id: Uuid, subject: &str) -> Result<bool, Error> {
    let rows = execute!(
        tx,
        "DELETE FROM {email_changes} WHERE id = $1 AND subject = $2 AND confirmed_at IS NULL",
        id,
        subject
    )?;
    Ok(rows == 1)
}

/// Forgets what an account asked for, confirmed or not: it is gone.
pub async fn forget_user(tx: &mut Tx<'_>, subject: &str) -> Result<u64, Error> {
    execute!(tx, "DELETE FROM {email_changes} WHERE subject = $1", subject)
}

/// Deletes what is over, at most `batch` rows; how many.
pub async fn sweep(tx: &mut Tx<'_>, batch: i64) -> Result<u64, Error> {
    let now = tx.now();
    execute!(
        tx,
        "DELETE FROM {email_changes} WHERE id IN
             (SELECT id FROM {email_changes} WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2)",
        now,
        batch
    )
}
