//! Tokens with a store: every promise, on SQLite and on PostgreSQL.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod databases;
mod joined;
mod keys;
mod one_time;
mod refresh;
mod revocation;
mod secrets;
mod sessions;
mod simulation;
mod spread;
mod sweep;
