//! The pure crate through its public door, and everything that RFC 8725 warns of thrown at it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod attacks;
mod forge;
mod interop;
mod issue_and_check;
mod parser;
