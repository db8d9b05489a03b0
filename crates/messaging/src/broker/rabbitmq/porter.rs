//! Carries away what is not begun here and now, one after the other, so that the order stays.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, mpsc};

use super::desk::Desk;
use super::intake::Errand;
use super::ticket::Ticket;
use crate::Error;
use crate::broker::Arrival;
use crate::verdict::Verdict;

pub(super) enum Load {
    /// To be carried elsewhere.
    Errand {
        ticket: Box<Ticket>,
        errand: Errand,
        /// Free once it is away.
        places: Vec<OwnedSemaphorePermit>,
    },
    /// To be begun, after what came before it.
    Arrival(Box<Arrival>),
}

pub(super) async fn run(
    desk: Arc<Desk>,
    mut loads: mpsc::UnboundedReceiver<Load>,
    arrived: mpsc::UnboundedSender<Arrival>,
) {
    while let Some(load) = loads.recv().await {
        let (ticket, errand, places) = match load {
            Load::Errand {
                ticket,
                errand,
                places,
            } => (ticket, errand, places),
            Load::Arrival(arrival) => {
                if arrived.send(*arrival).is_err() {
                    return;
                }
                continue;
            }
        };
        let carried = if desk.stop.is_cancelled() {
            ticket.tell(Verdict::Release, false).await
        } else {
            carry(&ticket, &errand).await
        };
        // Whatever happened: it is the broker's, and comes again.
        if let Err(error) = carried {
            tracing::warn!(queue = %desk.queue(), id = %ticket.slot.id, %error, "a message could not be put aside; it comes again");
        }
        drop(places);
    }
}

async fn carry(ticket: &Ticket, errand: &Errand) -> Result<bool, Error> {
    let carried = match errand {
        Errand::Settle(verdict) => return ticket.settle(verdict.clone()).await,
        Errand::Acknowledge => Ok(true),
        Errand::Wait(at) => ticket.wait_until(*at).await,
        Errand::Count { starts, to } => ticket.count(*starts, *to).await,
    };
    match carried {
        Ok(true) => Ok(ticket.acknowledge().await),
        Ok(false) => Ok(false),
        Err(error) => {
            ticket.tell(Verdict::Release, false).await?;
            Err(error)
        }
    }
}
