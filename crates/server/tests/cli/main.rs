//! The command line as a person and a script meet it: the real program, on both databases.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod accounts;
mod administrators;
mod configuration;
mod database;
mod help;
mod keys;
mod letters;
mod place;
mod queues;
mod serve;
mod signing_keys;
mod tokens;
