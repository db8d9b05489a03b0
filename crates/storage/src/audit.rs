//! `audit`: who did what to whom. Never an address, a token or a password: ids only.

use sqlx::types::Json;
use uuid::Uuid;

use crate::{Error, Timestamp, Tx};

/// One row of `audit`.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct AuditRow {
    /// Its id.
    pub id: Uuid,
    /// When.
    pub at: Timestamp,
    /// Who: `user:<id>`, `key:<name>`, `admin:<id>`, `cli`, `link` (whoever held a letter's link), `service`.
    pub actor: String,
    /// What: `user.activated`, `password.changed`, `token.created`...
    pub action: String,
    /// To whom, if it was done to somebody: a user's id, a delivery's.
    pub subject: Option<String>,
    /// What else is worth knowing.
    pub detail: Json<serde_json::Value>,
}

/// Notes something in the transaction that does it.
pub async fn note(
    tx: &mut Tx<'_>,
    actor: &str,
    action: &str,
    subject: Option<&str>,
    detail: serde_json::Value,
) -> Result<(), Error> {
    let now = tx.now();
    execute!(
        tx,
        "INSERT INTO {audit} (id, at, actor, action, subject, detail) VALUES ($1, $2, $3, $4, $5, $6)",
        crate::new_id(now),
        now,
        actor,
        action,
        subject,
        Json(detail.clone())
    )?;
    Ok(())
}

/// What was done to somebody, newest first.
pub async fn of_subject(tx: &mut Tx<'_>, subject: &str, limit: i64) -> Result<Vec<AuditRow>, Error> {
    fetch_all!(
        tx,
        AuditRow,
        "SELECT * FROM {audit} WHERE subject = $1 ORDER BY at DESC, id DESC LIMIT $2",
        subject,
        limit
    )
}

/// The newest rows of one kind.
pub async fn recent(tx: &mut Tx<'_>, action: &str, limit: i64) -> Result<Vec<AuditRow>, Error> {
    fetch_all!(
        tx,
        AuditRow,
        "SELECT * FROM {audit} WHERE action = $1 ORDER BY at DESC, id DESC LIMIT $2",
        action,
        limit
    )
}

/// Deletes what is older than `before`, at most `batch` rows; how many.
pub async fn sweep(tx: &mut Tx<'_>, before: Timestamp, batch: i64) -> Result<u64, Error> {
    execute!(
        tx,
        "DELETE FROM {audit} WHERE id IN (SELECT id FROM {audit} WHERE at < $1 ORDER BY at LIMIT $2)",
        before,
        batch
    )
}
