//! Looks at each delivery: begun here and now, or not.
//!
//! RabbitMQ counts no starts. All it says is that a message was delivered before (`redelivered`), and that
//! it says of all that a dead process had in hand, the one that killed it and its neighbours, and of what a
//! living one gave back. So whoever was delivered before goes back onto the queue as a copy with the count in a
//! header, and is begun once more beside all others. The second time it goes to a queue of suspects, as on the
//! embedded broker. From there each process takes one at a time; who is delivered again *there* was in hand alone,
//! and one more is counted. After `max_starts` it is a dead letter. This needs no database, and works the same for
//! classic queues, which have no counter, and for quorum queues of any version, which count different things.

use std::sync::Arc;

use lapin::Channel;
use lapin::message::Delivery;
use sha2::{Digest, Sha256};
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio_util::sync::CancellationToken;

use super::consume::Lane;
use super::copy;
use super::desk::Desk;
use super::hands::{Again, Fate, Original, Tag, Which};
use super::ladder::EARLY;
use super::porter::Load;
use super::properties::{self, Received};
use super::ticket::Ticket;
use crate::DeadReason;
use crate::broker::{Arrival, Ticket as AnyTicket};
use crate::verdict::Verdict;

/// Deliveries looked at together.
const BATCH: usize = 64;

/// From so many starts without an end on, a message is suspected of having killed its process.
const SUSPECT: u32 = 2;

/// A delivery and how it came.
pub(super) struct Incoming {
    pub(super) delivery: Delivery,
    pub(super) lane: Lane,
    pub(super) channel: Channel,
    /// Cancelled when its channel is gone.
    pub(super) lost: CancellationToken,
    /// Lives as long as it is in hand.
    pub(super) in_hand: Option<Arc<()>>,
    /// Whether it may have been delivered before although the broker calls it new.
    pub(super) doubtful: bool,
    /// Its place among those in hand, where the broker does not count them.
    pub(super) places: Vec<OwnedSemaphorePermit>,
}

pub(super) struct Intake {
    desk: Arc<Desk>,
    arrived: mpsc::UnboundedSender<Arrival>,
    carry: mpsc::UnboundedSender<Load>,
}

impl Intake {
    pub(super) fn new(
        desk: Arc<Desk>,
        arrived: mpsc::UnboundedSender<Arrival>,
        carry: mpsc::UnboundedSender<Load>,
    ) -> Self {
        Self { desk, arrived, carry }
    }

    pub(super) async fn run(self, mut deliveries: mpsc::UnboundedReceiver<Incoming>) {
        let mut batch = Vec::with_capacity(BATCH);
        while deliveries.recv_many(&mut batch, BATCH).await > 0 {
            let mut begun: Vec<Arrival> = batch
                .drain(..)
                .filter_map(|incoming| self.look_at(incoming))
                .collect();
            self.mark_handled(&mut begun).await;
            for arrival in begun {
                let handed_over = if arrival.redelivered {
                    // Perhaps a copy. Not before the message that it was copied from is acknowledged, which the porter
                    // may be about to do: should it kill us, both would be there, each with a row of starts to come.
                    self.carry.send(Load::Arrival(Box::new(arrival))).is_ok()
                } else {
                    self.arrived.send(arrival).is_ok()
                };
                if !handed_over {
                    // Nobody receives any more: the source was dropped, and the channel with it.
                    return;
                }
            }
        }
    }

    /// What is to be handed over; nothing if it is carried elsewhere, or in hand already.
    fn look_at(&self, incoming: Incoming) -> Option<Arrival> {
        let Incoming {
            delivery,
            lane,
            channel,
            lost,
            in_hand,
            doubtful,
            places,
        } = incoming;
        let redelivered = delivery.redelivered;
        let mut received = properties::read(&delivery.properties, delivery.data.clone(), self.desk.now());
        let body = received.fresh.then(|| Sha256::digest(&delivery.data).into());
        // A copy under an id that was made for the original, which may come again and be given another.
        let id_made = copy::number(&delivery.properties, copy::ID_MADE).is_some();
        received.fresh |= id_made;
        let mut before = redelivered || id_made || (doubtful && body.is_some());
        let mut which = Which {
            id: received.id,
            copies: copy::number(&delivery.properties, copy::COPIES).unwrap_or(0),
            again_at: copy::number(&delivery.properties, copy::AGAIN_AT).unwrap_or(0),
            body,
        };
        if let Some(known) = body.and_then(|body| self.desk.hands.nameless(&body, self.desk.now())) {
            (which, received.id) = (known, known.id);
        }
        let tag = Tag::new(delivery.acker, channel, self.desk.counted(), in_hand);
        // Asked of every one: a broker that was killed gives messages out again and calls them new.
        let (tag, fate) = match self.desk.hands.again(which, tag, self.desk.now()) {
            Again::Renewed => return None,
            // Another may have the same words: whoever keeps account of what was handled decides.
            Again::Known(tag, Fate::Unheard) if which.body.is_some() => {
                before = true;
                (tag, Some(Fate::Innocent))
            }
            Again::Known(tag, fate) => (tag, Some(fate)),
            Again::Stranger(tag) => (tag, None),
        };
        let original = Arc::new(Original {
            properties: delivery.properties,
            body: delivery.data,
        });
        let starts = copy::count(&original.properties, copy::STARTS);
        let not_before = copy::moment(&original.properties, copy::NOT_BEFORE);
        let slot = self.desk.hands.take(which, original, tag, lost);
        let ticket = Ticket::new(&self.desk, slot, received.attempts, starts, received.fresh);
        if self.desk.stop.is_cancelled() {
            return Some(arrival(received, before, ticket, places));
        }
        let errand = self.errand(lane, redelivered, fate, starts, not_before);
        let Some(errand) = errand else {
            return Some(arrival(received, before, ticket, places));
        };
        // The porter outlives the intake.
        let _ = self.carry.send(Load::Errand {
            ticket: Box::new(ticket),
            errand,
            places,
        });
        None
    }

    /// What keeps it from being begun here and now.
    fn errand(
        &self,
        lane: Lane,
        redelivered: bool,
        fate: Option<Fate>,
        starts: u32,
        not_before: Option<crate::Timestamp>,
    ) -> Option<Errand> {
        // Its handling ended here before, and the broker did not hear of it.
        let innocent = fate.is_some();
        match fate {
            Some(Fate::Decided(verdict)) => return Some(Errand::Settle(verdict)),
            Some(Fate::Over | Fate::Unheard) => return Some(Errand::Acknowledge),
            Some(Fate::Innocent) | None => {}
        }
        let dead = if redelivered && !innocent {
            starts + 1
        } else {
            starts
        };
        if dead >= self.desk.config.max_starts {
            return Some(Errand::Settle(Verdict::Dead {
                reason: DeadReason::CrashLoop,
                detail: format!("{dead} starts in a row came to no end"),
                counted: false,
            }));
        }
        if let Some(at) = not_before
            && at > self.desk.now() + EARLY
        {
            return Some(Errand::Wait(at));
        }
        let to = if dead >= SUSPECT {
            Lane::Suspects
        } else {
            Lane::Queue
        };
        (dead > starts || to != lane).then_some(Errand::Count { starts: dead, to })
    }

    #[cfg(feature = "store")]
    async fn mark_handled(&self, arrivals: &mut [Arrival]) {
        if !self.desk.book.notes() || arrivals.is_empty() {
            return;
        }
        let ids: Vec<_> = arrivals.iter().map(|arrival| arrival.id).collect();
        let mut failures = 0;
        loop {
            match self.desk.book.seen(ids.clone()).await {
                Ok(seen) => {
                    for arrival in arrivals {
                        arrival.handled = seen.contains(&arrival.id);
                    }
                    return;
                }
                Err(error) => {
                    failures += 1;
                    tracing::warn!(queue = %self.desk.queue(), %error, failures, "what was handled before can't be told from what was not, trying again");
                    tokio::select! {
                        // Given back, so that it does not matter.
                        () = self.desk.stop.cancelled() => return,
                        () = tokio::time::sleep(self.desk.pause(failures)) => {}
                    }
                }
            }
        }
    }

    #[cfg(not(feature = "store"))]
    #[expect(clippy::unused_async, reason = "without a database nobody notes ids")]
    async fn mark_handled(&self, _arrivals: &mut [Arrival]) {}
}

/// What becomes of a delivery that is not begun here and now.
pub(super) enum Errand {
    /// It is not its hour.
    Wait(crate::Timestamp),
    /// It was in the hands of somebody who died, or belongs elsewhere: so many starts came to no end.
    Count { starts: u32, to: Lane },
    /// How it ended is still to be written, and told.
    Settle(Verdict),
    /// How it ended is written.
    Acknowledge,
}

fn arrival(
    received: Received,
    redelivered: bool,
    ticket: Ticket,
    places: Vec<OwnedSemaphorePermit>,
) -> Arrival {
    Arrival {
        id: received.id,
        kind: received.kind,
        headers: received.headers,
        body: received.body,
        priority: received.priority,
        attempts: received.attempts,
        starts: ticket.starts.max(1),
        enqueued_at: received.enqueued_at,
        expires_at: received.expires_at,
        // A suspect was delivered before it became one.
        redelivered: redelivered || ticket.starts > 0,
        fresh_id: received.fresh,
        handled: false,
        ticket: AnyTicket::Rabbit(Box::new(ticket)),
        places,
    }
}
