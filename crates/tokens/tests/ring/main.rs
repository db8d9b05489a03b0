//! Keys of their own: every algorithm, who may sign what and when, and what of it is published.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod confusion;
#[path = "../attacks/forge.rs"]
mod forge;
mod keys;
mod pem;
mod rotation;
mod vectors;
