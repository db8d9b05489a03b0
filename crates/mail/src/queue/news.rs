//! What became of letters, as events for other programs: ids and plain words, no address, no text of a server.

use gatepost_storage::deliveries::{self, DeliveryRow};
use gatepost_storage::{Tx, events};
use serde_json::{Value, json};
use uuid::Uuid;

use super::Mailer;

/// What became of a letter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NewsKind {
    /// The mail server took it.
    Sent,
    /// It ended in a state in which its reader has not, or may not have got it.
    Failed,
    /// It was taken, and came back.
    Bounced,
}

impl NewsKind {
    const fn name(self) -> &'static str {
        match self {
            Self::Sent => "mail.sent",
            Self::Failed => "mail.failed",
            Self::Bounced => "mail.bounced",
        }
    }
}

/// One letter's news. To be told in the transaction that notes its state, and only if that won.
#[derive(Debug, Clone)]
pub(crate) struct LetterNews<'a> {
    /// What became of it.
    pub(crate) kind: NewsKind,
    /// The delivery.
    pub(crate) id: Uuid,
    /// The mail it is a copy of.
    pub(crate) message_id: Uuid,
    /// Its template.
    pub(crate) template: &'a str,
    /// Whom an account letter is about, as it stands in the ledger: `user:ID`, `registration:ID`.
    pub(crate) about: Option<&'a str>,
    /// The state it ended in: `sent`, `failed`, `unknown`, `suppressed`, `expired`.
    pub(crate) state: &'a str,
}

impl<'a> LetterNews<'a> {
    /// The letter of this row ended in `state`, and its reader has not, or may not have got it.
    pub(crate) fn failed(row: &'a DeliveryRow, state: &'a str) -> Self {
        Self {
            kind: NewsKind::Failed,
            id: row.id,
            message_id: row.message_id,
            template: &row.template,
            about: row.about.as_deref(),
            state,
        }
    }

    fn data(&self) -> Value {
        let mut data = json!({
            "mail_id": self.id,
            "message_id": self.message_id,
            "template": self.template,
            "state": self.state,
        });
        // A registration has the id that its account will have.
        if let Some((_, user)) = self.about.and_then(|about| about.split_once(':')) {
            data["user_id"] = Value::from(user);
        }
        data
    }
}

impl Mailer {
    /// Tells what became of letters, with one statement, if events are switched on.
    pub(crate) async fn tell(
        &self,
        tx: &mut Tx<'_>,
        news: &[LetterNews<'_>],
    ) -> Result<(), gatepost_storage::Error> {
        if !self.settings().events || news.is_empty() {
            return Ok(());
        }
        let told: Vec<(&str, Value)> = news
            .iter()
            .map(|letter| (letter.kind.name(), letter.data()))
            .collect();
        events::insert_many(tx, &told).await
    }

    /// The same for one letter that was just ended in whatever state its row says.
    pub(crate) async fn tell_failed(&self, tx: &mut Tx<'_>, id: Uuid) -> Result<(), gatepost_storage::Error> {
        if !self.settings().events {
            return Ok(());
        }
        match deliveries::get(tx, id).await? {
            Some(row) => self.tell(tx, &[LetterNews::failed(&row, &row.state)]).await,
            None => Ok(()),
        }
    }
}
