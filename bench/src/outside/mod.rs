//! The real program, from outside: its process, its doors, its letters.

mod client;
mod inbox;
mod instance;
mod journey;
mod sink;
mod wire;

pub use client::{Answer, Client, escape};
pub use inbox::Letter;
pub use instance::{Instance, Setup};
pub use journey::{Account, PASSWORD, Pair, unknown_address};
pub use sink::{Manner, Received, Sink};
pub use wire::Wire;
