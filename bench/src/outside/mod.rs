//! The real program, from outside: its process, its doors, its letters.

mod client;
mod inbox;
mod instance;
mod journey;
mod pgbouncer;
mod postgres;
mod python;
mod rabbit;
mod redis;
mod sink;
mod wire;

pub use client::{Answer, Client, escape};
pub use inbox::Letter;
pub use instance::{Instance, SECRET, Setup};
pub use journey::{Account, PASSWORD, Pair, unknown_address};
pub use pgbouncer::PgBouncer;
pub use postgres::Postgres;
pub use python::Python;
pub use rabbit::Rabbit;
pub use redis::Redis;
pub use sink::{Manner, Received, Sink};
pub use wire::Wire;

use std::process::Command;

/// Sends a process of ours a signal by name.
#[track_caller]
pub fn signal(pid: u32, name: &str) {
    let sent = Command::new("sh")
        .args(["-c", &format!("kill -{name} {pid}")])
        .status();
    assert!(sent.expect("a shell").success(), "the signal was sent");
}
