//! The embedded broker: rows of the outbox, claimed on a lease.
//!
//! A claim is one statement, durable before the handler starts, and counts the start; who writes to a
//! claimed row afterwards names the claim's token and learns whether the row was still theirs. Three tasks
//! serve a consumer: one claims, one renews leases, one settles what is finished, many rows at a time.

mod leases;
mod publish;
mod pump;
mod reclaim;
mod settler;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use gatepost_storage::dead_letters::{self, Burial};
use gatepost_storage::outbox::Held;
use gatepost_storage::outbox_claims::{self, Again};
use gatepost_storage::{Conn, Store, Timestamp, Tx, handled};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use self::leases::Leases;
use self::pump::Pump;
use self::settler::Settler;
use super::{Arrival, Want};
use crate::verdict::Verdict;
use crate::{BrokerHealth, Error, Outbox, TOPIC};

/// The embedded broker.
#[derive(Clone, Debug)]
pub(crate) struct Embedded {
    store: Store,
    poll: Duration,
    outbox: Outbox,
}

impl Embedded {
    pub(crate) fn new(store: &Store) -> Self {
        Self {
            store: store.clone(),
            poll: Duration::from_secs(1),
            outbox: Outbox::new(store),
        }
    }

    /// As long as there is the database, there is the broker; whether there is, the database's own health says.
    #[expect(clippy::unused_self, reason = "the other broker's needs it")]
    pub(crate) fn health(&self) -> watch::Receiver<BrokerHealth> {
        watch::channel(BrokerHealth {
            connected: true,
            ..BrokerHealth::default()
        })
        .1
    }

    pub(crate) fn store(&self) -> &Store {
        &self.store
    }

    pub(crate) fn set_poll(&mut self, every: Duration) {
        self.poll = every;
    }

    pub(crate) async fn open(&self, want: Want) -> Result<Source, Error> {
        if want
            .once
            .as_ref()
            .is_some_and(|store| !store.is_same(&self.store))
        {
            return Err(Error::OtherStore);
        }
        // What can't work at all (no tables, no rights) is said here and not retried for ever.
        pump::look(&self.store, &want.queue).await?;
        reclaim::all(&self.store, &want.queue, Duration::ZERO).await?;
        let leases = Arc::new(Leases::new(&self.store, want.config.lease));
        let settler = Settler::start(
            &self.store,
            &want.queue,
            want.once.is_some(),
            want.on_dead.clone(),
        );
        let stop = CancellationToken::new();
        let (sender, arrivals) = mpsc::channel(want.prefetch);
        let pump = Pump::new(
            &self.store,
            self.poll,
            &want,
            Arc::clone(&leases),
            settler,
            sender,
            stop.clone(),
        );
        Ok(Source {
            arrivals,
            stop,
            pump: Task(tokio::spawn(pump.run())),
            _renewer: Task(tokio::spawn(leases.renew())),
            _reclaimer: Task(tokio::spawn(reclaim::keep(
                self.store.clone(),
                want.queue.as_str().into(),
            ))),
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

/// Where claimed messages come out. Dropping it is like the death of the process: what is in hand is
/// claimed anew when its lease has run out.
pub(crate) struct Source {
    arrivals: mpsc::Receiver<Arrival>,
    stop: CancellationToken,
    pump: Task,
    _renewer: Task,
    _reclaimer: Task,
}

impl Drop for Source {
    fn drop(&mut self) {
        // Before the places of what is in hand become free, or more would be claimed for nobody.
        self.stop.cancel();
    }
}

impl Source {
    pub(crate) async fn next(&mut self) -> Option<Arrival> {
        self.arrivals.recv().await
    }

    pub(crate) async fn stop(&mut self) -> Vec<Arrival> {
        self.stop.cancel();
        let mut left = Vec::new();
        while let Some(arrival) = self.arrivals.recv().await {
            left.push(arrival);
        }
        // The channel is closed, so the pump has returned or is about to.
        if let Err(error) = (&mut self.pump.0).await
            && error.is_panic()
        {
            tracing::error!("the task that claims messages panicked");
        }
        left
    }
}

/// One claimed message.
pub(crate) struct Ticket {
    held: Held,
    store: Store,
    queue: Arc<str>,
    note: bool,
    leases: Arc<Leases>,
    settler: Settler,
    lost: CancellationToken,
}

impl Ticket {
    pub(crate) fn now(&self) -> Timestamp {
        self.store.now()
    }

    pub(crate) fn join<'c>(&self, conn: Conn<'c>) -> Result<Tx<'c>, Error> {
        Ok(self.store.join(conn)?)
    }

    pub(crate) fn lost(&self) -> CancellationToken {
        self.lost.clone()
    }

    pub(crate) fn let_go(&self) {
        self.leases.remove(self.held);
    }

    pub(crate) async fn settle(&self, verdict: Verdict) -> Result<bool, Error> {
        let settled = self.settler.settle(self.held, verdict).await;
        self.let_go();
        settled
    }

    pub(crate) async fn settle_in(&self, tx: &mut Tx<'_>, verdict: Verdict) -> Result<bool, Error> {
        let done = verdict == Verdict::Done;
        let mut work = Work::default();
        work.add(self.held, verdict);
        let won = !work.run(tx).await?.is_empty();
        if won && done && self.note {
            handled::note(tx, &self.queue, &[self.held.id]).await?;
        }
        Ok(won)
    }

    /// The same for many, one statement for each kind of verdict.
    pub(crate) async fn settle_all_in(
        tx: &mut Tx<'_>,
        tickets: Vec<(&Ticket, Verdict)>,
    ) -> Result<Vec<bool>, Error> {
        let mut work = Work::default();
        let mut notes: HashMap<&str, Vec<Held>> = HashMap::new();
        let mut asked = Vec::with_capacity(tickets.len());
        for (ticket, verdict) in tickets {
            asked.push(ticket.held.id);
            if ticket.note && verdict == Verdict::Done {
                notes.entry(&ticket.queue).or_default().push(ticket.held);
            }
            work.add(ticket.held, verdict);
        }
        let won: HashSet<uuid::Uuid> = work.run(tx).await?.into_iter().collect();
        for (queue, held) in notes {
            let ids = held.iter().map(|held| held.id).filter(|id| won.contains(id));
            handled::note(tx, queue, &ids.collect::<Vec<_>>()).await?;
        }
        Ok(asked.into_iter().map(|id| won.contains(&id)).collect())
    }

    pub(crate) async fn extend(&self, by: Duration) -> Result<bool, Error> {
        self.leases.extend(self.held, by).await
    }
}

/// What is to be written about claimed messages, by kind of statement.
#[derive(Clone, Debug, Default)]
struct Work {
    done: Vec<Held>,
    again: Vec<Again>,
    dead: Vec<Burial>,
    release: Vec<Held>,
}

impl Work {
    fn add(&mut self, held: Held, verdict: Verdict) {
        match verdict {
            Verdict::Done => self.done.push(held),
            Verdict::Release => self.release.push(held),
            Verdict::Again { at, counted, reason } => {
                self.again.push(Again {
                    held,
                    at,
                    counted: i64::from(counted),
                    error: reason,
                });
            }
            Verdict::Dead {
                reason,
                detail,
                counted,
            } => {
                let reason = reason.as_str().to_owned();
                self.dead.push(Burial {
                    held,
                    reason,
                    detail,
                    counted: i64::from(counted),
                });
            }
        }
    }

    /// Writes it, at most one statement (two for dead letters) for each kind; the ids that were still ours.
    async fn run(&self, tx: &mut Tx<'_>) -> Result<Vec<uuid::Uuid>, gatepost_storage::Error> {
        let mut won = outbox_claims::finish(tx, &self.done).await?;
        won.extend(outbox_claims::again(tx, &self.again).await?);
        won.extend(outbox_claims::release(tx, &self.release).await?);
        won.extend(dead_letters::bury(tx, &self.dead).await?);
        // Somebody has to wait for the new hour, and it may be another process than this one.
        if !self.again.is_empty() || !self.release.is_empty() {
            tx.wake(TOPIC);
        }
        Ok(won)
    }
}
