//! What a letter looks like on the queue.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use gatepost_storage::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::MailError;
use crate::EmailAddress;
use crate::seal::{Bound, SealError, Sealer};
use crate::wire::MailRequest;

/// A letter whose content is sealed.
pub(crate) const KIND_LETTER: &str = "gatepost.letter";
/// An account letter that is made when it is sent.
pub(crate) const KIND_INTENT: &str = "gatepost.account_letter";

/// A letter to one recipient. Only where it goes stands in the clear, and that is bound to the seal.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct QueuedLetter {
    pub(crate) message_id: Uuid,
    pub(crate) to: EmailAddress,
    pub(crate) template: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) expires_at: Option<Timestamp>,
    /// The whole request, sealed, base64.
    sealed: String,
}

/// Seals `request` for one of its recipients.
pub(crate) fn sealed_letter(
    sealer: &Sealer,
    message_id: Uuid,
    to: &EmailAddress,
    request: &MailRequest,
) -> Result<QueuedLetter, MailError> {
    let plain = serde_json::to_vec(request)?;
    let recipients = [to.clone()];
    let bound = Bound {
        message_id,
        letter: request.template(),
        recipients: &recipients,
        expires_at: request.expires_at,
    };
    Ok(QueuedLetter {
        message_id,
        to: to.clone(),
        template: request.template().to_owned(),
        expires_at: request.expires_at.map(Timestamp::from_micros),
        sealed: STANDARD.encode(sealer.seal(&bound, &plain)?),
    })
}

impl QueuedLetter {
    /// Opens the request, if nobody changed where it goes or how long it lives.
    pub(crate) fn open(&self, sealer: &Sealer) -> Result<MailRequest, SealError> {
        let bytes = STANDARD.decode(&self.sealed).map_err(|_| SealError::Forged)?;
        let recipients = [self.to.clone()];
        let bound = Bound {
            message_id: self.message_id,
            letter: &self.template,
            recipients: &recipients,
            expires_at: self.expires_at.map(Timestamp::as_micros),
        };
        let plain = sealer.open(&bound, &bytes)?;
        serde_json::from_slice(&plain).map_err(|_| SealError::Forged)
    }
}
