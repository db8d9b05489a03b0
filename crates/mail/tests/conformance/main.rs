//! What the path of a letter promises, on SQLite and on PostgreSQL, against a mail server that
//! misbehaves on purpose.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod accounts;
mod asked;
mod by_sql;
mod crashes;
mod databases;
mod engine;
mod rig;
mod sealed;
mod server;
mod told;
