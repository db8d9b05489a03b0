//! Account letters wait as intents: no token, no address, until they are sent.

use futures_util::future::BoxFuture;
use gatepost_storage::{Timestamp, Tx};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use super::MailError;
use crate::EmailAddress;

/// A letter about an account, made when it is sent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AccountIntent {
    /// The template's name.
    pub letter: String,
    /// Whom it is about.
    pub about: About,
    /// The generation of links that it belongs to, if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generation: Option<i64>,
    /// When it is no longer worth sending.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// The reader's language.
    pub locale: String,
    /// Whether one that waits is skipped when the same letter is asked for again. So for links; not
    /// for news such as a changed password.
    pub replaces_older: bool,
    /// What else the letter's owner wants to know again: when it was asked for, for example. No secret
    /// and no address, since it waits in the clear.
    #[serde(default)]
    pub data: Value,
}

/// Whom an account letter is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum About {
    /// A user, by id.
    User(String),
    /// A registration that waits for its link to be pressed.
    Registration(Uuid),
}

impl About {
    pub(crate) fn key(&self) -> String {
        match self {
            Self::User(id) => format!("user:{id}"),
            Self::Registration(id) => format!("registration:{id}"),
        }
    }

    /// Reads what [`key`](Self::key) wrote.
    pub(crate) fn from_key(key: &str) -> Option<Self> {
        match key.split_once(':')? {
            ("user", id) => Some(Self::User(id.to_owned())),
            ("registration", id) => id.parse().ok().map(Self::Registration),
            _ => None,
        }
    }
}

/// What became of an intent when its letter was to be sent.
#[derive(Debug, Clone)]
pub enum Resolution {
    /// Send this.
    Send(Resolved),
    /// There is nothing to send any more, with the reason for the timeline.
    Skip(String),
}

/// A letter made of an intent.
#[derive(Debug, Clone)]
pub struct Resolved {
    /// Who it goes to.
    pub to: EmailAddress,
    /// What the template shows; the letter's struct by `serde_json::to_value`.
    pub data: Value,
    /// The language, if it is another than the intent's.
    pub locale: Option<String>,
}

/// Makes account letters out of intents. Both functions run inside a transaction of the worker's and
/// may run again.
pub trait AccountLetters: Send + Sync + 'static {
    /// Finds the address and mints the link, in the transaction that notes the start.
    ///
    /// Called at every start, also of a retry. Derive the token's id from `message_id`, so that a twin
    /// is the same letter.
    fn resolve<'a>(
        &'a self,
        tx: &'a mut Tx<'_>,
        intent: &'a AccountIntent,
        message_id: Uuid,
    ) -> BoxFuture<'a, Result<Resolution, MailError>>;

    /// Called in the transaction that notes `sent`: here the older links are voided.
    fn sent<'a>(
        &'a self,
        tx: &'a mut Tx<'_>,
        intent: &'a AccountIntent,
        message_id: Uuid,
    ) -> BoxFuture<'a, Result<(), MailError>>;

    /// The same letter asked for again now, by a person who saw that it did not arrive: about the same one,
    /// with a new generation of links. `asked_at` is when it was first asked for. None if there is nothing to
    /// tell any more; so by default.
    fn renew<'a>(
        &'a self,
        tx: &'a mut Tx<'_>,
        letter: &'a str,
        about: &'a About,
        locale: &'a str,
        asked_at: Timestamp,
    ) -> BoxFuture<'a, Result<Option<AccountIntent>, MailError>> {
        let _ = (tx, letter, about, locale, asked_at);
        Box::pin(async { Ok(None) })
    }
}

/// For programs without accounts: every intent is skipped.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoAccountLetters;

impl AccountLetters for NoAccountLetters {
    fn resolve<'a>(
        &'a self,
        _: &'a mut Tx<'_>,
        _: &'a AccountIntent,
        _: Uuid,
    ) -> BoxFuture<'a, Result<Resolution, MailError>> {
        Box::pin(async { Ok(Resolution::Skip("this program has no accounts".to_owned())) })
    }

    fn sent<'a>(
        &'a self,
        _: &'a mut Tx<'_>,
        _: &'a AccountIntent,
        _: Uuid,
    ) -> BoxFuture<'a, Result<(), MailError>> {
        Box::pin(async { Ok(()) })
    }
}
