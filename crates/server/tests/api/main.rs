//! The routes, through the front door: each with its happy path and every way in which it refuses.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::similar_names
)]

mod accounts;
mod auth;
mod bad_input;
mod browser;
mod console;
mod enumeration;
mod events;
mod keys;
mod limits;
mod metrics;
mod pages;
mod service;
mod sweep;
mod system;
mod unauthorized;
mod world;

/// Runs each `async fn name(app: TestApp)` as a test on SQLite and as one on PostgreSQL.
macro_rules! on_both {
    ($($name:ident),+ $(,)?) => {
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() { super::$name(gatepost::testing::TestApp::sqlite().await).await })+
        }
        mod postgres {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() { super::$name(gatepost::testing::TestApp::postgres().await).await })+
        }
    };
}
use on_both;

const ANNA: &str = "anna@example.com";
const OWLS: &str = "seven owls in an attic";
const STONES: &str = "wet stones under moss";
