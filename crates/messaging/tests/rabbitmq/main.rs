//! Publishing and declaring on a real RabbitMQ, also one that is killed, frozen, starved or robbed of a queue.
//!
//! `GATEPOST_TEST_AMQP_URL` names a RabbitMQ that all tests share; who does harm starts one of its own.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod alarm;
mod declare;
mod deleted;
mod drift;
mod exchanges;
mod frozen;
mod killed;
mod outcomes;
mod shared;
mod tls;
