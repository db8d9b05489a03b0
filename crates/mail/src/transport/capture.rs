//! Letters kept in the database instead of being sent, sealed, for an administrator to look at.

use std::sync::Arc;

use gatepost_storage::inbox::{self, InboxRow};
use gatepost_storage::{Store, Timestamp};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Accepted, Parcel, Phase, SendError};
use crate::seal::{SealError, Sealer};

/// The kind that captured mail is sealed as.
const SEALED_AS: &str = "inbox";

#[derive(Debug, Clone)]
pub(super) struct Capture {
    store: Store,
    sealer: Sealer,
}

/// What is sealed.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Captured {
    pub(crate) to: String,
    pub(crate) from: String,
    pub(crate) template: String,
    pub(crate) locale: String,
    pub(crate) subject: String,
    pub(crate) text: String,
    pub(crate) html: Option<String>,
    pub(crate) message_id: String,
}

/// A captured letter, opened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CapturedMail {
    /// The delivery's id.
    pub id: Uuid,
    /// Its place in the order of arrival; what `after` takes.
    pub cursor: i64,
    /// Who it went to.
    pub to: String,
    /// Who it was from, with the name.
    pub from: String,
    /// The letter's template.
    pub template: String,
    /// The language it was rendered in.
    pub locale: String,
    /// Subject.
    pub subject: String,
    /// The plain part.
    pub text: String,
    /// The HTML part.
    pub html: Option<String>,
    /// The header `Message-ID`.
    pub message_id: String,
    /// When it came.
    pub captured_at: Timestamp,
}

impl Capture {
    pub(super) fn new(store: &Store, sealer: &Sealer) -> Self {
        Self {
            store: store.clone(),
            sealer: sealer.clone(),
        }
    }

    pub(super) async fn put(&self, parcel: Parcel<'_>) -> Result<Accepted, SendError> {
        let fault = |detail: String| SendError::Server {
            phase: Phase::Store,
            detail,
        };
        let id = parcel.id;
        let plain = serde_json::to_vec(&parcel.content).map_err(|error| fault(error.to_string()))?;
        let sealed = self
            .sealer
            .seal_as(SEALED_AS, id.as_bytes(), &plain)
            .map_err(|error| fault(error.to_string()))?;
        let (sealed, hash) = (Arc::new(sealed), self.sealer.address_hash(parcel.to));
        let kept = self.store.run_tx("capture_mail", move |tx| {
            let sealed = Arc::clone(&sealed);
            Box::pin(async move { inbox::insert(tx, id, &hash, &sealed).await })
        });
        match kept.await {
            Ok(_) => Ok(Accepted {
                code: 250,
                text: "captured".to_owned(),
            }),
            Err(error) => Err(fault(error.to_string())),
        }
    }
}

/// Opens a row of the inbox.
pub(crate) fn open_captured(sealer: &Sealer, row: &InboxRow) -> Result<CapturedMail, SealError> {
    let plain = sealer.open_as(SEALED_AS, row.id.as_bytes(), &row.sealed)?;
    let captured: Captured = serde_json::from_slice(&plain).map_err(|_| SealError::Forged)?;
    Ok(CapturedMail {
        id: row.id,
        cursor: row.seq,
        to: captured.to,
        from: captured.from,
        template: captured.template,
        locale: captured.locale,
        subject: captured.subject,
        text: captured.text,
        html: captured.html,
        message_id: captured.message_id,
        captured_at: row.captured_at,
    })
}
