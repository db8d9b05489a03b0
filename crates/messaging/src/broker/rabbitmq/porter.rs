//! Carries away what is not begun here and now, one after the other, so that the order stays.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, mpsc};

use super::desk::Desk;
use super::intake::Errand;
use super::ticket::Ticket;
use crate::Error;
use crate::verdict::Verdict;

pub(super) struct Load {
    pub(super) ticket: Ticket,
    pub(super) errand: Errand,
    pub(super) _places: Vec<OwnedSemaphorePermit>,
}

pub(super) async fn run(desk: Arc<Desk>, mut loads: mpsc::UnboundedReceiver<Load>) {
    while let Some(load) = loads.recv().await {
        let Load { ticket, errand, .. } = &load;
        let carried = if desk.stop.is_cancelled() {
            ticket.tell(Verdict::Release, false).await
        } else {
            carry(ticket, errand).await
        };
        // Whatever happened: it is the broker's, and comes again.
        if let Err(error) = carried {
            tracing::warn!(queue = %desk.queue(), id = %ticket.slot.id, %error, "a message could not be put aside; it comes again");
        }
    }
}

async fn carry(ticket: &Ticket, errand: &Errand) -> Result<bool, Error> {
    let carried = match errand {
        Errand::Settle(verdict) => return ticket.settle(verdict.clone()).await,
        Errand::Wait(at) => ticket.wait_until(*at).await,
        Errand::Suspect(starts) => ticket.suspect(*starts).await,
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
