//! What the outbox and a broker promise, on both databases.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod broadcast;
mod dead;
mod leases;
mod looking;
mod once;
mod publishing;
mod rabbit;
mod retries;
mod straight;
mod waking;
mod working;
mod world;
