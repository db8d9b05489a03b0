//! Gatepost, the product: HTTP, accounts, console and command line over the crates below it.
//!
//! The program is `src/main.rs`; it is a library as well so that its tests, and nobody else, can run the
//! real stack in their own process (`testing`, behind the feature of that name). Programs that want
//! tokens, mail or messaging inside themselves use `gatepost-tokens`, `gatepost-mail` and
//! `gatepost-messaging`, not this crate.

pub mod accounts;
pub mod app;
pub mod auth;
mod broker;
pub mod cache;
pub mod config;
pub mod console;
mod django;
pub mod events;
pub mod http;
mod keyed;
pub mod keys;
mod letters;
pub mod lifecycle;
mod limits;
pub mod logs;
pub mod mail_files;
pub mod metrics;
pub mod ops;
pub mod pages_http;
pub mod queues;
mod random;
pub mod roles;
pub mod router;
pub mod serve;
pub mod service;
pub mod simplejwt;
mod sweep;
#[cfg(feature = "testing")]
pub mod testing;
mod workers;
