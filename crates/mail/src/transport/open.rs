//! A transport from what is configured.

use std::fmt;
use std::path::Path;
use std::time::Duration;

use gatepost_messaging::Broker;
use gatepost_storage::{Store, Timestamp};
use uuid::Uuid;

use super::capture::{Capture, Captured};
use super::file::Folder;
#[cfg(feature = "smtp")]
use super::smtp::Smtp;
use super::wire::WireQueue;
use super::{Accepted, SendError, ServerState, SmtpOptions, TransportError};
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
    Wire(WireQueue),
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
    /// How much is asked of mail servers (`mail.smtp`).
    pub smtp: &'a SmtpOptions,
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
    /// When it is no longer worth handing on.
    pub(crate) expires_at: Option<Timestamp>,
    /// The same before it was made into a message, for whoever looks at captured mail.
    pub(crate) content: Captured,
}

/// Leave to hand one letter over; see [`Transport::enter`].
#[derive(Debug, Default)]
pub(crate) struct Leave {
    #[cfg(feature = "smtp")]
    smtp: Option<super::smtp::Pass>,
}

/// Leave to send to one domain, until it is dropped.
#[derive(Debug, Default)]
pub(crate) struct DomainLeave {
    #[cfg(feature = "smtp")]
    _smtp: Option<super::smtp::DomainPass>,
}

impl Transport {
    /// Reads `mail.transport`: `capture`, `file:DIR`, `smtp://...` or `smtps://...`, the last two also several
    /// times with commas between them.
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
            let store = setup.store.clone();
            let smtp = Smtp::with_options(spec, setup.smtp)?;
            return Ok(Self(Kind::Smtp(smtp.with_clock(move || store.now().as_micros()))));
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

    /// Letters go onto a queue of RabbitMQ, rendered, for a Python consumer (`mail.wire = "python"`). What becomes of
    /// them there is not known here: their last state is `handed_over`.
    pub fn wire(broker: &Broker, queue: &str) -> Self {
        Self(Kind::Wire(WireQueue::new(broker, queue)))
    }

    /// Whether somebody else sends the letters.
    pub(crate) fn hands_over(&self) -> bool {
        matches!(self.0, Kind::Wire(_))
    }

    /// Whether letters stay in the database, where `/api/inbox` shows them.
    pub fn is_capture(&self) -> bool {
        matches!(self.0, Kind::Capture(_))
    }

    /// Measures pauses by the store's clock.
    #[must_use]
    pub(crate) fn on_clock_of(self, store: &Store) -> Self {
        match self.0 {
            #[cfg(feature = "smtp")]
            Kind::Smtp(smtp) => {
                let store = store.clone();
                Self(Kind::Smtp(smtp.with_clock(move || store.now().as_micros())))
            }
            kind => {
                let _ = store;
                Self(kind)
            }
        }
    }

    /// Leave to hand a letter over, or how long to wait for a server that is not at fault.
    pub(crate) fn enter(&self) -> Result<Leave, Duration> {
        match &self.0 {
            Kind::Capture(_) | Kind::File(_) => Ok(Leave::default()),
            Kind::Wire(queue) => queue.enter().map(|()| Leave::default()),
            #[cfg(feature = "smtp")]
            Kind::Smtp(smtp) => Ok(Leave {
                smtp: Some(smtp.enter()?),
            }),
        }
    }

    /// Leave to send to a recipient's domain, or how long to wait.
    #[cfg_attr(
        not(feature = "smtp"),
        expect(unused_variables, reason = "only mail servers have limits")
    )]
    pub(crate) fn enter_domain(&self, id: Uuid, domain: &str) -> Result<DomainLeave, Duration> {
        match &self.0 {
            Kind::Capture(_) | Kind::File(_) | Kind::Wire(_) => Ok(DomainLeave::default()),
            #[cfg(feature = "smtp")]
            Kind::Smtp(smtp) => Ok(DomainLeave {
                _smtp: smtp.enter_domain(id, domain)?,
            }),
        }
    }

    /// How each mail server is doing; none for files and captured mail.
    pub fn servers(&self) -> Vec<ServerState> {
        match &self.0 {
            Kind::Capture(_) | Kind::File(_) | Kind::Wire(_) => Vec::new(),
            #[cfg(feature = "smtp")]
            Kind::Smtp(smtp) => smtp.servers(),
        }
    }

    /// Letters that are worth having in hand at once: enough that connections need not wait for the
    /// database between two of them.
    pub(crate) fn in_hand(&self) -> usize {
        match &self.0 {
            Kind::Capture(_) | Kind::File(_) => 16,
            // A confirm of the broker is waited for by many at once.
            Kind::Wire(_) => 64,
            #[cfg(feature = "smtp")]
            Kind::Smtp(smtp) => (smtp.connections() * 16).clamp(32, 256),
        }
    }

    /// Hands a letter over; `before_dot` as in [`Smtp::deliver`](super::smtp::Smtp::deliver). Files and
    /// captured mail know a letter by its id, so the same one twice is one, and they ask nothing.
    #[cfg_attr(
        not(feature = "smtp"),
        expect(
            unused_variables,
            reason = "only a mail server is sent a dot, and may be paused"
        )
    )]
    pub(crate) async fn deliver<F>(
        &self,
        leave: Option<&Leave>,
        parcel: Parcel<'_>,
        before_dot: F,
    ) -> Result<Accepted, SendError>
    where
        F: AsyncFnOnce() -> bool,
    {
        match &self.0 {
            Kind::Capture(capture) => capture.put(parcel).await,
            Kind::File(folder) => folder.put(parcel.id, parcel.message).await,
            Kind::Wire(queue) => queue.put(&parcel, before_dot).await,
            #[cfg(feature = "smtp")]
            Kind::Smtp(smtp) => {
                let Parcel {
                    from, to, message, ..
                } = parcel;
                match leave.and_then(|leave| leave.smtp.as_ref()) {
                    Some(pass) => smtp.deliver_by(pass, from, to, message, before_dot).await,
                    None => smtp.deliver(from, to, message, before_dot).await,
                }
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
            Kind::Capture(_) | Kind::File(_) | Kind::Wire(_) => {}
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
            Kind::Wire(queue) => write!(f, "Transport(queue {})", queue.queue()),
            #[cfg(feature = "smtp")]
            Kind::Smtp(smtp) => write!(f, "Transport(smtp {})", smtp.server()),
        }
    }
}
