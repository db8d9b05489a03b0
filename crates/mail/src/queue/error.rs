//! What can be wrong with asking for a letter.

use crate::post::PostError;
use crate::seal::SealError;

/// Why a letter is not taken, or not found.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MailError {
    /// There is no such template, it cannot be rendered with this data, ...: the caller's data.
    #[error(transparent)]
    Render(#[from] crate::Error),
    /// The template belongs to account letters, whose links are made here.
    #[error("the template {0:?} belongs to account letters and cannot be asked for by name")]
    ReservedTemplate(String),
    /// Letters may not be sent in this name.
    #[error("mail.allowed_from does not allow this sender")]
    SenderNotAllowed,
    /// Letters are rendered for a Python consumer, which could not deliver this.
    #[error("with mail.wire = \"python\" a letter can have no {0}")]
    NotForPython(&'static str),
    /// A header or an attachment does not fit.
    #[error(transparent)]
    Post(#[from] PostError),
    /// The idempotency key was used for another request in the last 24 hours.
    #[error("this idempotency key was used for another request")]
    IdempotencyConflict,
    /// An expiry that has passed.
    #[error("expires_at has passed")]
    Expired,
    /// Something sealed does not open.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// The letter's own `Serialize` failed.
    #[error("the letter does not serialize")]
    Serialize(#[from] serde_json::Error),
    /// The account letters' owner failed.
    #[error("an account letter could not be made: {0}")]
    Account(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// A decision about a letter that cannot be carried out.
    #[error(transparent)]
    Declined(#[from] super::Declined),
    /// The queue.
    #[error(transparent)]
    Queue(#[from] gatepost_messaging::Error),
    /// The letter cannot be signed.
    #[cfg(feature = "smtp")]
    #[error(transparent)]
    Dkim(#[from] crate::DkimError),
    /// The database.
    #[error(transparent)]
    Storage(#[from] gatepost_storage::Error),
    /// What happened to the transaction that several letters shared.
    #[error(transparent)]
    Together(std::sync::Arc<MailError>),
}

impl MailError {
    /// Whether the same call may pass later.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Storage(error) => error.is_transient(),
            Self::Queue(error) => error.is_transient(),
            Self::Together(error) => error.is_transient(),
            _ => false,
        }
    }

    /// Whether what was asked for is at fault, and not we: a 422.
    pub fn is_the_callers(&self) -> bool {
        matches!(
            self,
            Self::Render(_)
                | Self::ReservedTemplate(_)
                | Self::SenderNotAllowed
                | Self::NotForPython(_)
                | Self::Post(_)
                | Self::IdempotencyConflict
                | Self::Expired
                | Self::Queue(gatepost_messaging::Error::TooLarge { .. })
        )
    }
}
