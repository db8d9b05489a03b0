//! `mail_pauses`: templates whose letters wait until somebody lets them go on.

use crate::{Error, Timestamp, Tx};

/// The name that stands for all templates.
pub const ALL: &str = "";

/// A template whose letters wait.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct MailPauseRow {
    /// The template; [`ALL`] for every one.
    pub template: String,
    /// Who paused it, as the audit calls them.
    pub actor: String,
    /// Why, if they said.
    pub reason: Option<String>,
    /// Since when.
    pub paused_at: Timestamp,
}

/// Pauses a template, or [`ALL`]; false if it was paused already.
pub async fn insert(
    tx: &mut Tx<'_>,
    template: &str,
    actor: &str,
    reason: Option<&str>,
) -> Result<bool, Error> {
    let now = tx.now();
    let rows = execute!(
        tx,
        "INSERT INTO {mail_pauses} (template, actor, reason, paused_at) VALUES ($1, $2, $3, $4)
         ON CONFLICT DO NOTHING",
        template,
        actor,
        reason,
        now
    )?;
    Ok(rows == 1)
}

/// Lets a template go on; false if it was not paused.
pub async fn delete(tx: &mut Tx<'_>, template: &str) -> Result<bool, Error> {
    Ok(execute!(tx, "DELETE FROM {mail_pauses} WHERE template = $1", template)? == 1)
}

/// Lets everything go on; how many pauses there were.
pub async fn clear(tx: &mut Tx<'_>) -> Result<u64, Error> {
    execute!(tx, "DELETE FROM {mail_pauses}")
}

/// All pauses, that of everything first.
pub async fn list(tx: &mut Tx<'_>) -> Result<Vec<MailPauseRow>, Error> {
    fetch_all!(
        tx,
        MailPauseRow,
        "SELECT template, actor, reason, paused_at FROM {mail_pauses} ORDER BY template"
    )
}
