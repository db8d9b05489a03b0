//! Where letters leave the house.

mod outcome;
#[cfg(feature = "smtp")]
pub mod smtp;

pub use outcome::{Accepted, Phase, SendError, TransportError};
