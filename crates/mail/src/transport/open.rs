//! A transport from what is configured.

use std::fmt;
use std::path::Path;

use gatepost_storage::Store;
use uuid::Uuid;

use super::capture::{Capture, Captured};
use super::file::Folder;
#[cfg(feature = "smtp")]
use super::smtp::Smtp;
use super::{Accepted, SendError, TransportError};
use crate::EmailAddress;
use crate::seal::Sealer;

/// Where letters leave the house: kept in the database, written to files, or given to a mail server.
///
/// Cheap to clone.
#[derive(Clone)]
pub struct Transport(Kind);

#[derive(Clone)]
enum Kind {
    Capture(Capture),
    File(Folder),
    #[cfg(feature = "smtp")]
    Smtp(Smtp),
}

/// What a transport may need besides its own text.
#[derive(Debug, Clone, Copy)]
pub struct TransportSetup<'a> {
    /// Where captured mail is kept.
    pub store: &'a Store,
    /// What captured mail is sealed with.
    pub sealer: &'a Sealer,
    /// More certificates to trust, as PEM (`tls.ca_file`).
    pub ca_file: Option<&'a Path>,
}

/// A letter at the door, to one recipient.
pub(crate) struct Parcel<'a> {
    pub(crate) id: Uuid,
    #[cfg_attr(
        not(feature = "smtp"),
        expect(dead_code, reason = "only a mail server is told")
    )]
    pub(crate) from: &'a EmailAddress,
    pub(crate) to: &'a EmailAddress,
    pub(crate) message: &'a [u8],
    /// The same before it was made into a message, for whoever looks at captured mail.
    pub(crate) content: Captured,
}

impl Transport {
    /// Reads `mail.transport`: `capture`, `file:DIR`, `smtp://...` or `smtps://...`.
    pub fn parse(spec: &str, setup: &TransportSetup<'_>) -> Result<Self, TransportError> {
        if spec == "capture" {
            return Ok(Self(Kind::Capture(Capture::new(setup.store, setup.sealer))));
        }
        if let Some(folder) = spec.strip_prefix("file:") {
            if folder.is_empty() {
                return Err(TransportError::Spec(
                    "file: needs a folder, as in file:./mail".to_owned(),
                ));
            }
            return Ok(Self(Kind::File(Folder::open(Path::new(folder))?)));
        }
        #[cfg(feature = "smtp")]
        if spec.starts_with("smtp://") || spec.starts_with("smtps://") {
            return Ok(Self(Kind::Smtp(Smtp::from_spec(spec.parse()?, setup.ca_file)?)));
        }
        // Not repeated: a mistyped URL may hold a password.
        Err(TransportError::Spec(
            "expected capture, file:DIR, smtp://... or smtps://...".to_owned(),
        ))
    }

    /// Letters go to a mail server.
    #[cfg(feature = "smtp")]
    pub fn smtp(smtp: Smtp) -> Self {
        Self(Kind::Smtp(smtp))
    }

    /// Whether letters stay in the database, where `/api/inbox` shows them.
    pub fn is_capture(&self) -> bool {
        matches!(self.0, Kind::Capture(_))
    }

    /// Hands a letter over; `before_dot` as in [`Smtp::deliver`](super::smtp::Smtp::deliver). Files and
    /// captured mail know a letter by its id, so the same one twice is one, and they ask nothing.
    #[cfg_attr(
        not(feature = "smtp"),
        expect(unused_variables, reason = "only a mail server is sent a dot")
    )]
    pub(crate) async fn deliver<F>(&self, parcel: Parcel<'_>, before_dot: F) -> Result<Accepted, SendError>
    where
        F: AsyncFnOnce() -> bool,
    {
        match &self.0 {
            Kind::Capture(capture) => capture.put(parcel).await,
            Kind::File(folder) => folder.put(parcel.id, parcel.message).await,
            #[cfg(feature = "smtp")]
            Kind::Smtp(smtp) => {
                smtp.deliver(parcel.from, parcel.to, parcel.message, before_dot)
                    .await
            }
        }
    }

    /// Ends what is open, politely.
    #[cfg_attr(
        not(feature = "smtp"),
        expect(clippy::unused_async, reason = "only mail servers are told goodbye")
    )]
    pub async fn close(&self) {
        match &self.0 {
            Kind::Capture(_) | Kind::File(_) => {}
            #[cfg(feature = "smtp")]
            Kind::Smtp(smtp) => smtp.close().await,
        }
    }
}

/// Without user or password.
impl fmt::Debug for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Capture(_) => f.write_str("Transport(capture)"),
            Kind::File(folder) => write!(f, "Transport({folder:?})"),
            #[cfg(feature = "smtp")]
            Kind::Smtp(smtp) => write!(f, "Transport(smtp {})", smtp.server()),
        }
    }
}
