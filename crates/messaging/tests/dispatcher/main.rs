//! From the outbox to RabbitMQ and back, on both databases, with the RabbitMQ that `GATEPOST_TEST_AMQP_URL` names.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod again;
mod deaths;
mod losses;
mod moving;
mod switching;
mod world;
