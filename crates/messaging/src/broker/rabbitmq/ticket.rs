//! How one message in hand ends: where its copy goes, what the database is told, and the acknowledgement.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

#[cfg(feature = "store")]
use gatepost_storage::{Conn, Tx};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::consume::Lane;
use super::copy::{self, Copy};
use super::desk::Desk;
use super::hands::{Fate, Slot};
use super::{shapes, subscription};
use crate::verdict::Verdict;
use crate::{Error, Timestamp};

/// One message in hand.
pub(crate) struct Ticket {
    pub(super) desk: Arc<Desk>,
    pub(super) slot: Arc<Slot>,
    /// Counted tries before this one.
    pub(super) attempts: u32,
    /// Starts since the last of them that came to no end.
    pub(super) starts: u32,
    /// The id was made here, and no copy that outlasts a death carries it.
    fresh: bool,
    /// The id that copies carry, if it is not the message's own.
    renamed: Mutex<Option<Uuid>>,
    /// What a transaction of the handler's says, and whether a row there says what comes next.
    #[cfg(feature = "store")]
    written: Mutex<Option<(Verdict, bool)>>,
}

impl Ticket {
    pub(super) fn new(desk: &Arc<Desk>, slot: Arc<Slot>, attempts: u32, starts: u32, fresh: bool) -> Self {
        Self {
            desk: Arc::clone(desk),
            slot,
            attempts,
            starts,
            fresh,
            renamed: Mutex::default(),
            #[cfg(feature = "store")]
            written: Mutex::default(),
        }
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.desk.now()
    }

    /// Whether the message is still this process's, or was when it was last heard of.
    pub(crate) fn alive(&self) -> bool {
        self.slot.alive()
    }

    pub(crate) fn lost(&self) -> CancellationToken {
        self.slot.lost.clone()
    }

    /// There is no lease that could be longer: RabbitMQ waits for as long as the connection lives, and
    /// `consumer_timeout` at most.
    #[expect(clippy::unused_async, reason = "the other broker asks its database")]
    pub(crate) async fn extend(&self, _by: Duration) -> Result<bool, Error> {
        Ok(self.alive())
    }

    /// Copies of the message carry this id from now on.
    pub(crate) fn rename(&self, id: Uuid) {
        *self.renamed.lock().unwrap_or_else(PoisonError::into_inner) = Some(id);
    }

    fn renamed(&self) -> Option<Uuid> {
        *self.renamed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn id(&self) -> Uuid {
        self.renamed().unwrap_or(self.slot.id)
    }

    #[cfg(feature = "store")]
    pub(crate) fn join<'c>(&self, conn: Conn<'c>) -> Result<Tx<'c>, Error> {
        self.desk.book.join(conn)
    }

    /// Writes what the database has to know, in the handler's own transaction. The broker is told after the
    /// handler has returned the same: it can't be part of a transaction.
    #[cfg(feature = "store")]
    pub(crate) async fn settle_in(&self, tx: &mut Tx<'_>, verdict: Verdict) -> Result<bool, Error> {
        let won = Self::settle_all_in(tx, vec![(self, verdict)]).await?;
        Ok(won.first().copied().unwrap_or(false))
    }

    /// The same for many of one consumer.
    #[cfg(feature = "store")]
    pub(crate) async fn settle_all_in(
        tx: &mut Tx<'_>,
        tickets: Vec<(&Ticket, Verdict)>,
    ) -> Result<Vec<bool>, Error> {
        let alive: Vec<bool> = tickets.iter().map(|(ticket, _)| ticket.alive()).collect();
        let items: Vec<(Uuid, Verdict)> = tickets
            .iter()
            .zip(&alive)
            .filter(|(_, alive)| **alive)
            .map(|((ticket, verdict), _)| (ticket.id(), verdict.clone()))
            .collect();
        let Some((first, _)) = tickets.first() else {
            return Ok(Vec::new());
        };
        let mut written = first.desk.book.settle_in(tx, &items).await?.into_iter();
        let mut won = Vec::with_capacity(tickets.len());
        for ((ticket, verdict), alive) in tickets.into_iter().zip(alive) {
            // Not alive: the broker took it back. Nothing: another copy was handled meanwhile.
            let covered = if alive { written.next().flatten() } else { None };
            won.push(covered.is_some());
            if let Some(covered) = covered {
                *ticket.written.lock().unwrap_or_else(PoisonError::into_inner) = Some((verdict, covered));
            }
        }
        Ok(won)
    }

    /// Tells the broker what [`Ticket::settle_in`] wrote.
    #[cfg(feature = "store")]
    pub(crate) async fn finish(&self) -> Result<bool, Error> {
        let written = self.written.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some((verdict, covered)) = written else {
            return Err(Error::Closed);
        };
        match self.desk.book.stands(self, &verdict).await {
            Ok(true) => self.tell(verdict, covered).await,
            Ok(false) => {
                tracing::warn!(queue = %self.desk.queue(), id = %self.slot.id, "a handler says that a message is settled, and its transaction was rolled back: it comes again");
                self.postpone().await
            }
            Err(error) => {
                self.postpone().await?;
                Err(error)
            }
        }
    }

    /// Settles by a verdict that nobody has written down yet.
    pub(crate) async fn settle(&self, verdict: Verdict) -> Result<bool, Error> {
        #[cfg(feature = "store")]
        let covered = {
            let ours = self.alive();
            // What was done is noted in any case: it was handled, whoever has it now.
            if !ours && verdict != Verdict::Done {
                self.forget_or_remember(verdict);
                return Ok(false);
            }
            match self.desk.book.settle(self, &verdict).await {
                Ok(covered) => covered,
                Err(error) => {
                    self.postpone().await?;
                    return Err(error);
                }
            }
        };
        #[cfg(not(feature = "store"))]
        let covered = false;
        self.tell(verdict, covered).await
    }

    /// What could not be written down is not settled: the message comes again after about as long as a lease
    /// of the embedded broker lasts.
    #[cfg(feature = "store")]
    async fn postpone(&self) -> Result<bool, Error> {
        let verdict = Verdict::Again {
            at: self.now() + self.desk.config.lease,
            counted: false,
            reason: "how it ended could not be noted".to_owned(),
        };
        self.tell(verdict, false).await
    }

    fn forget_or_remember(&self, verdict: Verdict) {
        if verdict != Verdict::Release {
            self.slot.remember(Fate::Decided(verdict));
        }
    }

    /// Tells the broker: a copy where one is due, confirmed, and then the acknowledgement. False if the
    /// message is not ours any more; should it come here again, it ends as it would have ended now.
    pub(super) async fn tell(&self, verdict: Verdict, covered: bool) -> Result<bool, Error> {
        let carried = match &verdict {
            Verdict::Release => {
                return Ok(match self.slot.take() {
                    Some(tag) => tag.give_back().await,
                    None => false,
                });
            }
            Verdict::Done => Ok(true),
            Verdict::Again { .. } | Verdict::Dead { .. } if covered => Ok(true),
            Verdict::Again { at, counted, reason } => self.again(*at, *counted, reason).await,
            Verdict::Dead { .. } => self.bury(&verdict).await,
        };
        match carried {
            Ok(true) => Ok(self.acknowledge().await),
            Ok(false) => {
                self.forget_or_remember(verdict);
                Ok(false)
            }
            Err(error) => {
                // We are stopping, and the broker takes no copies: it keeps what it has.
                if let Some(tag) = self.slot.take() {
                    tag.give_back().await;
                }
                Err(error)
            }
        }
    }

    /// Everything about the message is safe elsewhere, or over.
    pub(super) async fn acknowledge(&self) -> bool {
        let acknowledged = match self.slot.take() {
            Some(tag) => tag.ack().await,
            None => false,
        };
        if acknowledged {
            self.desk.hands.told(&self.slot, self.now());
        } else {
            self.slot.remember(Fate::Over);
        }
        acknowledged
    }

    async fn again(&self, at: Timestamp, counted: bool, reason: &str) -> Result<bool, Error> {
        let attempts = self.attempts.saturating_add(u32::from(counted));
        let copy = Copy::of(&self.slot.original.properties, self.id())
            .number(copy::ATTEMPT, i64::from(attempts))
            .text(copy::LAST_ERROR, reason)
            // An outcome ends a row of starts without one.
            .without(copy::STARTS);
        self.up_the_ladder(self.with_id_made(copy), at).await
    }

    /// Not this hour's: nothing happened to it.
    pub(super) async fn wait_until(&self, at: Timestamp) -> Result<bool, Error> {
        let copy = Copy::of(&self.slot.original.properties, self.id());
        self.up_the_ladder(copy, at).await
    }

    async fn up_the_ladder(&self, copy: Copy<'_>, at: Timestamp) -> Result<bool, Error> {
        let step = self.desk.ladder.step(at, self.now());
        let (queue, config) = (self.desk.queue(), &self.desk.config);
        let to = match step.rung {
            Some(rung) => shapes::rung(queue, rung),
            None => shapes::main(queue, config),
        };
        let properties = copy.moment(copy::NOT_BEFORE, step.not_before).properties();
        self.desk.carry(&self.slot, &to, &properties).await
    }

    /// Back onto the queue, or to the suspects, of which each is begun alone.
    pub(super) async fn count(&self, starts: u32, to: Lane) -> Result<bool, Error> {
        let copy =
            Copy::of(&self.slot.original.properties, self.id()).number(copy::STARTS, i64::from(starts));
        let properties = self.with_id_made(copy).properties();
        let to = subscription::shape(&self.desk, to);
        self.desk.carry(&self.slot, &to, &properties).await
    }

    /// Says that the id was made here, if nobody has kept it: who had the original before, or will have it again, may have
    /// handled it under another.
    fn with_id_made<'c>(&self, copy: Copy<'c>) -> Copy<'c> {
        if self.fresh && self.renamed().is_none() {
            copy.number(copy::ID_MADE, 1)
        } else {
            copy.without(copy::ID_MADE)
        }
    }

    async fn bury(&self, verdict: &Verdict) -> Result<bool, Error> {
        let Verdict::Dead {
            reason,
            detail,
            counted,
        } = verdict
        else {
            return Ok(true);
        };
        let attempts = self.attempts.saturating_add(u32::from(*counted));
        let properties = Copy::of(&self.slot.original.properties, self.id())
            .number(copy::ATTEMPT, i64::from(attempts))
            .number(copy::STARTS, i64::from(self.starts))
            .text(copy::DEAD_REASON, reason.as_str())
            .text(copy::DEAD_DETAIL, detail)
            .moment(copy::DIED_AT, self.now())
            .without(copy::NOT_BEFORE)
            .without(copy::ID_MADE)
            .properties();
        let to = shapes::dead(self.desk.queue());
        self.desk.carry(&self.slot, &to, &properties).await
    }
}
