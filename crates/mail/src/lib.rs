//! gatepost-mail

pub mod address;
pub mod post;
pub mod seal;
#[cfg(all(feature = "testing", feature = "smtp"))]
pub mod testing;
#[cfg(any(feature = "smtp", feature = "queue"))]
pub mod transport;
pub mod wire;

pub use address::{AddressError, EmailAddress, Sender};
