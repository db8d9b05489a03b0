//! Taking messages from RabbitMQ.

use std::convert::Infallible;
use std::time::Duration;

#[cfg(feature = "store")]
use gatepost_storage::{Conn, Tx};
use tokio_util::sync::CancellationToken;

use super::Rabbit;
use crate::broker::{Arrival, Want};
use crate::verdict::Verdict;
use crate::{Error, Timestamp};

impl Rabbit {
    #[expect(
        clippy::unused_async,
        reason = "what takes messages comes next, and does wait"
    )]
    pub(crate) async fn open(&self, _want: Want) -> Result<Source, Error> {
        Err(Error::Closed)
    }
}

/// Where messages come out.
pub(crate) struct Source(Infallible);

impl Source {
    #[expect(
        clippy::unused_async,
        reason = "what takes messages comes next, and does wait"
    )]
    pub(crate) async fn next(&mut self) -> Option<Arrival> {
        match self.0 {}
    }

    #[expect(
        clippy::unused_async,
        reason = "what takes messages comes next, and does wait"
    )]
    pub(crate) async fn stop(&mut self) -> Vec<Arrival> {
        match self.0 {}
    }
}

/// One message in hand.
pub(crate) struct Ticket(Infallible);

impl Ticket {
    pub(crate) fn now(&self) -> Timestamp {
        match self.0 {}
    }

    #[cfg(feature = "store")]
    pub(crate) fn join<'c>(&self, _conn: Conn<'c>) -> Result<Tx<'c>, Error> {
        match self.0 {}
    }

    #[cfg(feature = "store")]
    #[expect(
        clippy::unused_async,
        reason = "what takes messages comes next, and does wait"
    )]
    pub(crate) async fn settle_in(&self, _tx: &mut Tx<'_>, _verdict: Verdict) -> Result<bool, Error> {
        match self.0 {}
    }

    #[expect(
        clippy::unused_async,
        reason = "what takes messages comes next, and does wait"
    )]
    pub(crate) async fn settle(&self, _verdict: Verdict) -> Result<bool, Error> {
        match self.0 {}
    }

    #[expect(
        clippy::unused_async,
        reason = "what takes messages comes next, and does wait"
    )]
    pub(crate) async fn extend(&self, _by: Duration) -> Result<bool, Error> {
        match self.0 {}
    }

    pub(crate) fn lost(&self) -> CancellationToken {
        match self.0 {}
    }

    pub(crate) fn let_go(&self) {
        match self.0 {}
    }
}
