//! What a store promises, on both databases.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod accounts;
mod admin_sessions;
mod admins;
mod api_keys;
mod databases;
mod django_users;
mod events;
mod foreign_letters;
mod joined;
mod migrations;
mod outages;
mod revocation_log;
mod sql_functions;
mod sweeping;
mod time;
mod transactions;
mod verify_answers;
mod wakes;
