//! The pure crate through its public door.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod documents;
#[path = "../attacks/forge.rs"]
mod forge;
mod interop;
mod issue_and_check;
