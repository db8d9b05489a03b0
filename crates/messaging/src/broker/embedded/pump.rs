//! Claims messages as there is room for them, and sleeps until there is something to claim.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use gatepost_storage::outbox::{Held, OutboxRow};
use gatepost_storage::outbox_claims::{self, Claim, Look};
use gatepost_storage::{Store, Timestamp, Wakeups, handled, new_id};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::leases::Leases;
use super::settler::Settler;
use super::{Arrival, Ticket, Want};
use crate::broker::Ticket as AnyTicket;
use crate::{Body, Error, Priority, TOPIC};

/// Rows claimed by one statement at most.
const BATCH: usize = 256;
/// How often suspects are looked after while there is so much else that nobody is idle.
const SUSPECTS_EVERY: Duration = Duration::from_secs(1);
/// Pause after finding rows that others had locked.
const OTHERS_WERE_FASTER: Duration = Duration::from_millis(2);

/// What there is to claim on a queue.
pub(super) async fn look(store: &Store, queue: &str) -> Result<Look, Error> {
    let queue = queue.to_owned();
    let look = store.read("look_for_messages", |tx| {
        Box::pin(async move { outbox_claims::look(tx, &queue).await })
    });
    Ok(look.await?)
}

pub(super) struct Pump {
    store: Store,
    queue: Arc<str>,
    poll: Duration,
    note: bool,
    room: Arc<Semaphore>,
    prefetch: usize,
    refill: usize,
    /// Ends once there is nothing to claim and nothing in hand.
    until_idle: bool,
    /// One suspect at a time.
    suspects: Arc<Semaphore>,
    leases: Arc<Leases>,
    settler: Settler,
    arrivals: mpsc::Sender<Arrival>,
    stop: CancellationToken,
    wakes: Wakeups,
}

impl Pump {
    pub(super) fn new(
        store: &Store,
        poll: Duration,
        want: &Want,
        leases: Arc<Leases>,
        settler: Settler,
        arrivals: mpsc::Sender<Arrival>,
        stop: CancellationToken,
    ) -> Self {
        Self {
            store: store.clone(),
            queue: want.queue.as_str().into(),
            poll,
            note: want.once.is_some(),
            room: Arc::new(Semaphore::new(want.prefetch)),
            prefetch: want.prefetch,
            refill: want.refill,
            until_idle: want.until_idle,
            suspects: Arc::new(Semaphore::new(1)),
            leases,
            settler,
            arrivals,
            stop,
            wakes: store.subscribe(TOPIC),
        }
    }

    pub(super) async fn run(mut self) {
        let mut failures = 0_u32;
        loop {
            match self.fill().await {
                Err(Error::Closed) => return,
                Ok(()) => failures = 0,
                Err(error) => {
                    failures += 1;
                    tracing::warn!(queue = %self.queue, %error, failures, "messages could not be claimed, trying again");
                    let pause = tokio::time::sleep(Duration::from_millis(100 << failures.min(6)));
                    if self.unless_stopped(pause).await.is_err() {
                        return;
                    }
                }
            }
        }
    }

    /// Waits for `what`, or ends with [`Error::Closed`] when told to stop. Never around a claim: what it had
    /// claimed would be lost until its lease runs out.
    async fn unless_stopped<T>(&self, what: impl Future<Output = T>) -> Result<T, Error> {
        tokio::select! {
            biased;
            () = self.stop.cancelled() => Err(Error::Closed),
            done = what => Ok(done),
        }
    }

    /// One turn: looks, claims for as long as there is something, or waits for the next reason to look.
    async fn fill(&mut self) -> Result<(), Error> {
        let look = self.unless_stopped(look(&self.store, &self.queue)).await??;
        if look.ready {
            let suspects_at = self.store.now() + SUSPECTS_EVERY;
            let mut claimed = self.claim_ready().await?;
            if claimed == Some(0) {
                self.unless_stopped(tokio::time::sleep(OTHERS_WERE_FASTER))
                    .await?;
            }
            // A full claim means that there is more.
            while claimed.is_none() && self.store.now() < suspects_at {
                claimed = self.claim_ready().await?;
            }
        }
        if look.suspect && self.claim_suspect().await? {
            return Ok(());
        }
        if !look.ready {
            self.idle(look).await?;
        }
        Ok(())
    }

    /// Waits for room and claims; `None` if all the room was filled, else how many came.
    async fn claim_ready(&self) -> Result<Option<usize>, Error> {
        let refill = u32::try_from(self.refill).unwrap_or(u32::MAX);
        let room = Arc::clone(&self.room).acquire_many_owned(refill);
        let mut places = self.unless_stopped(room).await?.map_err(|_| Error::Closed)?;
        while places.num_permits() < BATCH
            && let Ok(one) = Arc::clone(&self.room).try_acquire_owned()
        {
            places.merge(one);
        }
        let asked = places.num_permits();
        let claimed = self.claim(Some(asked)).await?;
        let came = claimed.rows.len();
        for row in claimed.rows {
            // As many came as there were places at most; one without a place is still delivered.
            let place = places.split(1).into_iter().collect();
            self.hand_over(row, &claimed.handled, claimed.until, place)
                .await?;
        }
        Ok((came < asked).then_some(came))
    }

    /// Claims one message under suspicion, if none is in hand.
    async fn claim_suspect(&self) -> Result<bool, Error> {
        let Ok(alone) = Arc::clone(&self.suspects).try_acquire_owned() else {
            return Ok(false);
        };
        let room = Arc::clone(&self.room).acquire_owned();
        let place = self.unless_stopped(room).await?.map_err(|_| Error::Closed)?;
        let claimed = self.claim(None).await?;
        let Some(row) = claimed.rows.into_iter().next() else {
            return Ok(false);
        };
        self.hand_over(row, &claimed.handled, claimed.until, vec![place, alone])
            .await?;
        Ok(true)
    }

    /// Claims up to `limit` messages, or one under suspicion if there is none.
    async fn claim(&self, limit: Option<usize>) -> Result<Claimed, Error> {
        let now = self.store.now();
        let until = now + self.leases.length();
        let claim = Claim {
            queue: self.queue.as_ref().to_owned(),
            limit: limit.map_or(1, |limit| i64::try_from(limit).unwrap_or(i64::MAX)),
            lease: new_id(now),
            until,
        };
        let (note, suspect) = (self.note, limit.is_none());
        let claimed = self.store.run_tx("claim_messages", move |tx| {
            let claim = claim.clone();
            Box::pin(async move {
                let rows = if suspect {
                    outbox_claims::claim_suspect(tx, &claim).await?
                } else {
                    outbox_claims::claim(tx, &claim).await?
                };
                let ids: Vec<Uuid> = if note {
                    rows.iter().map(|row| row.id).collect()
                } else {
                    Vec::new()
                };
                let handled = handled::seen(tx, &claim.queue, &ids).await?.into_iter().collect();
                Ok::<_, gatepost_storage::Error>(Claimed { rows, handled, until })
            })
        });
        Ok(claimed.await?)
    }

    async fn hand_over(
        &self,
        row: OutboxRow,
        handled: &HashSet<Uuid>,
        until: Timestamp,
        places: Vec<OwnedSemaphorePermit>,
    ) -> Result<(), Error> {
        // A claimed row always has the claim's token.
        let Some(lease) = row.lease else { return Ok(()) };
        let held = Held { id: row.id, lease };
        let ticket = Ticket {
            held,
            store: self.store.clone(),
            queue: Arc::clone(&self.queue),
            note: self.note,
            leases: Arc::clone(&self.leases),
            settler: self.settler.clone(),
            lost: self.leases.add(held, until),
        };
        let arrival = Arrival {
            id: row.id,
            kind: row.kind,
            headers: row.headers.0,
            body: Body {
                content_type: row.content_type,
                bytes: row.body,
            },
            priority: u8::try_from(row.priority)
                .ok()
                .and_then(Priority::new)
                .unwrap_or_default(),
            attempts: u32::try_from(row.attempts).unwrap_or(u32::MAX - 1),
            starts: u32::try_from(row.starts).unwrap_or(u32::MAX),
            enqueued_at: row.enqueued_at,
            expires_at: row.expires_at,
            redelivered: false,
            fresh_id: false,
            handled: handled.contains(&row.id),
            ticket: AnyTicket::Embedded(ticket),
            places,
        };
        // Nobody receives any more: the source was dropped, and the lease will run out.
        self.arrivals.send(arrival).await.map_err(|_| Error::Closed)
    }

    /// Sleeps until somebody publishes, the next delayed message or lease comes due, a suspect in hand is
    /// settled while another waits, or the safety poll.
    async fn idle(&mut self, look: Look) -> Result<(), Error> {
        if self.until_idle {
            return self.finish_pending().await;
        }
        let Self {
            store,
            suspects,
            stop,
            wakes,
            poll,
            ..
        } = self;
        let due = async {
            match look.next {
                Some(next) => store.sleep_until(next).await,
                None => std::future::pending().await,
            }
        };
        let suspect_free = async {
            if look.suspect {
                drop(suspects.acquire().await);
            } else {
                std::future::pending::<()>().await;
            }
        };
        tokio::select! {
            biased;
            () = stop.cancelled() => return Err(Error::Closed),
            () = wakes.wait() => {}
            () = due => {}
            () = suspect_free => {}
            () = tokio::time::sleep(*poll) => {}
        }
        Ok(())
    }

    /// With nothing left to claim: waits until nothing is in hand either, and ends if that made nothing new.
    async fn finish_pending(&self) -> Result<(), Error> {
        let all = self
            .room
            .acquire_many(u32::try_from(self.prefetch).unwrap_or(u32::MAX));
        drop(self.unless_stopped(all).await?);
        let look = look(&self.store, &self.queue).await?;
        if look.ready || look.suspect {
            Ok(())
        } else {
            Err(Error::Closed)
        }
    }
}

struct Claimed {
    rows: Vec<OutboxRow>,
    handled: HashSet<Uuid>,
    until: Timestamp,
}
