//! Where letters leave the house.

#[cfg(feature = "queue")]
mod capture;
#[cfg(feature = "queue")]
mod file;
#[cfg(feature = "queue")]
mod open;
mod options;
mod outcome;
#[cfg(feature = "smtp")]
pub mod smtp;
#[cfg(feature = "queue")]
mod wire;

pub use crate::status::Status;
#[cfg(feature = "queue")]
pub use capture::CapturedMail;
#[cfg(feature = "queue")]
pub(crate) use capture::{Captured, open_captured};
#[cfg(feature = "queue")]
pub(crate) use open::{Leave, Parcel};
#[cfg(feature = "queue")]
pub use open::{Transport, TransportSetup};
pub use options::{MAX_CONNECTIONS, ServerState, SmtpOptions};
pub use outcome::{Accepted, Phase, SendError, TransportError};
