//! Gatepost from outside: the real executable in a folder of its own, over HTTP, by signals, against a mail
//! server that misbehaves. What holds here holds for a user.
//!
//! A few rounds by default; the acceptance runs ask for more:
//! `GATEPOST_OUTSIDE_ROUNDS` (races, 3), `GATEPOST_OUTSIDE_KILLS` (5), `GATEPOST_OUTSIDE_OUTAGE` (seconds, 4),
//! `GATEPOST_OUTSIDE_CHAOS` (seconds, 45).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr)]

mod audit;
mod bad_input;
mod broker;
mod cache;
mod cache_state;
mod chaos;
mod crash;
mod credentials;
mod django_accounts;
mod faults;
mod flood;
mod greylist;
mod interop;
mod letters;
mod live_django;
mod network;
mod one_winner;
mod outage;
mod pages;
mod pika;
mod pooler;
mod revoked;
mod routes;
mod same_answer;
mod scanners;
mod second_process;
mod secrets;
mod shutdown;
mod spread;
mod support;
mod tour;
mod wire;
