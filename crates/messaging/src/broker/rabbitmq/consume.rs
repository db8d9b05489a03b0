//! Taking messages from RabbitMQ.
//!
//! Three kinds of tasks serve a consumer. Subscriptions, one for the queue and one for its suspects, see to
//! it that deliveries come, whatever becomes of channels and connections. The intake looks at each
//! delivery: most are handed over, some are not this hour's or this process's to begin. The porter carries
//! those elsewhere. How a message ends is the business of its [`Ticket`].

use std::sync::Arc;

use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::Rabbit;
use super::desk::Desk;
use super::intake::Intake;
pub(crate) use super::ticket::Ticket;
use super::{pending, porter, subscription};
use crate::Error;
use crate::broker::{Arrival, Want};

/// A queue as one consumer takes from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lane {
    /// The queue itself.
    Queue,
    /// Those whose processes have died twice, one at a time.
    Suspects,
}

impl Rabbit {
    pub(crate) fn open(&self, want: Want) -> Result<Source, Error> {
        crate::envelope::check_queue_name(&want.queue)?;
        let (prefetch, until_idle) = (want.prefetch, want.until_idle);
        let stop = CancellationToken::new();
        let gone = CancellationToken::new();
        let desk = Arc::new(Desk::new(self.clone(), want, stop.clone(), gone.clone())?);
        let (incoming, deliveries) = mpsc::unbounded_channel();
        let (arrived, arrivals) = mpsc::unbounded_channel();
        let (carry, loads) = mpsc::unbounded_channel();
        let mut tasks = Vec::new();
        if until_idle {
            tasks.push(Task(tokio::spawn(pending::run(
                Arc::clone(&desk),
                prefetch,
                incoming,
            ))));
        } else {
            for (lane, prefetch) in [(Lane::Queue, prefetch), (Lane::Suspects, 1)] {
                let taken = subscription::run(Arc::clone(&desk), lane, prefetch, incoming.clone());
                tasks.push(Task(tokio::spawn(taken)));
            }
            drop(incoming);
        }
        let intake = Intake::new(Arc::clone(&desk), arrived.clone(), carry);
        tasks.push(Task(tokio::spawn(intake.run(deliveries))));
        tasks.push(Task(tokio::spawn(porter::run(Arc::clone(&desk), loads, arrived))));
        Ok(Source {
            arrivals,
            stop,
            gone,
            tasks,
            desk,
        })
    }
}

/// A task that ends with its owner.
struct Task(JoinHandle<()>);

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Where messages come out. Dropping it is like the death of the process: the broker takes back what is in
/// hand.
pub(crate) struct Source {
    arrivals: mpsc::UnboundedReceiver<Arrival>,
    stop: CancellationToken,
    gone: CancellationToken,
    tasks: Vec<Task>,
    desk: Arc<Desk>,
}

impl Drop for Source {
    fn drop(&mut self) {
        self.stop.cancel();
        self.gone.cancel();
        self.desk.close();
    }
}

impl Source {
    pub(crate) async fn next(&mut self) -> Option<Arrival> {
        self.arrivals.recv().await
    }

    /// Waits until the broker has heard how everything ended.
    pub(crate) async fn heard(&self) {
        self.desk.heard().await;
    }

    pub(crate) async fn stop(&mut self) -> Vec<Arrival> {
        self.stop.cancel();
        let mut left = Vec::new();
        while let Some(arrival) = self.arrivals.recv().await {
            left.push(arrival);
        }
        // They have nothing left to do, or are about to find that out.
        for mut task in self.tasks.drain(..) {
            if let Err(error) = (&mut task.0).await
                && error.is_panic()
            {
                tracing::error!(queue = %self.desk.queue(), "a task of a consumer panicked");
            }
        }
        left
    }
}
