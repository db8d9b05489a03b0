//! Publishing, declaring and consuming on a real RabbitMQ, also one that is killed, frozen, starved or robbed of a
//! queue. What both brokers promise to handlers is in `conformance`.
//!
//! `GATEPOST_TEST_AMQP_URL` names a RabbitMQ that all tests share; who does harm starts one of its own.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod alarm;
mod consumers;
mod declare;
mod deleted;
mod drift;
mod exchanges;
mod frozen;
mod killed;
mod looking;
mod outages;
mod outcomes;
mod shared;
mod tls;
