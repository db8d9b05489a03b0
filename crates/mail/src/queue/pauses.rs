//! Pausing: letters wait until somebody lets them go on, and nothing is used up meanwhile.

use gatepost_storage::mail_pauses::{self, ALL, MailPauseRow};
use gatepost_storage::{Timestamp, Tx, delivery_decisions};
use serde::Serialize;

use super::{MailError, Mailer};

/// The topic that wakes workers when a pause begins or ends.
pub(crate) const TOPIC: &str = "mail_pauses";

/// Letters that wait.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MailPause {
    /// The template whose letters wait; none for all letters.
    pub template: Option<String>,
    /// Who paused it, as the audit calls them.
    pub by: String,
    /// Why, if they said.
    pub reason: Option<String>,
    /// Since when.
    pub since: Timestamp,
}

impl From<MailPauseRow> for MailPause {
    fn from(row: MailPauseRow) -> Self {
        Self {
            template: (row.template != ALL).then_some(row.template),
            by: row.actor,
            reason: row.reason,
            since: row.paused_at,
        }
    }
}

impl Mailer {
    /// Stops the letters of a template, or all; false if that was so already. Every worker of every instance
    /// obeys within a second of the commit; dialogues with the mail server that were begun are finished.
    pub async fn pause_in(
        &self,
        tx: &mut Tx<'_>,
        template: Option<&str>,
        by: &str,
        reason: Option<&str>,
    ) -> Result<bool, MailError> {
        tx.wake(TOPIC);
        Ok(mail_pauses::insert(tx, template.unwrap_or(ALL), by, reason).await?)
    }

    /// Lets the letters of a template go on, or all whatever was paused; how many pauses that ended.
    pub async fn resume_in(&self, tx: &mut Tx<'_>, template: Option<&str>) -> Result<u64, MailError> {
        tx.wake(TOPIC);
        tx.wake(gatepost_messaging::TOPIC);
        let ended = match template {
            Some(template) => u64::from(mail_pauses::delete(tx, template).await?),
            None => mail_pauses::clear(tx).await?,
        };
        delivery_decisions::hasten(tx, template).await?;
        Ok(ended)
    }

    /// What is paused, all letters first.
    pub async fn pauses(&self) -> Result<Vec<MailPause>, MailError> {
        let rows = self
            .store()
            .read("list_mail_pauses", |tx| Box::pin(mail_pauses::list(tx)));
        Ok(rows.await?.into_iter().map(MailPause::from).collect())
    }
}
