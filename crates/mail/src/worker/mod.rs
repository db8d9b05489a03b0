//! The worker: takes letters off the queue and sees each to an end that the ledger knows.
//!
//! A start is noted before it is made, the final dot before it is sent, and what the mail server said
//! in the transaction that acknowledges the message. Whoever finds a letter after a crash reads from
//! the ledger how far it had come.

mod begin;
mod brake;
mod clerk;
#[cfg(feature = "testing")]
mod fault;
mod foreign;
mod fresh;
mod health;
mod left_alone;
mod schedule;
mod send;
mod settle;
mod start;
mod together;

use std::sync::Arc;
use std::time::Duration;

use brake::Brake;
use clerk::{Clerk, Steps};
use futures_util::future::BoxFuture;
use futures_util::stream::{FuturesUnordered, StreamExt};
use gatepost_messaging::{Body, Broker, Consumer, DeadLetter, Error as QueueError, Outcome};
use gatepost_storage::{Timestamp, TxFuture, deliveries, delivery_decisions, delivery_events};
use tokio_util::sync::CancellationToken;

#[cfg(feature = "testing")]
pub use fault::{FaultHook, FaultPoint};
pub use health::{Waits, WorkerHealth};

use crate::Mailer;
use crate::queue::{AccountLetters, MAIL_BULK_QUEUE, MAIL_QUEUE, MailError, NoAccountLetters, is_ours};
use crate::transport::{Leave, Transport};

/// How long a start locks its letter. Renewed while the dialogue lasts; after a crash nobody touches
/// the letter for this long.
const LEASE: Duration = Duration::from_secs(12);

/// How long a letter waits in hand for a server, before its place is given to another. RabbitMQ closes the
/// channel of who keeps a message for 30 min.
const PATIENCE: Duration = Duration::from_mins(10);

/// Sends letters; made by [`Mailer::worker`].
#[must_use = "a worker does nothing until it is run"]
pub struct Worker {
    broker: Broker,
    desk: Desk,
    concurrency: usize,
    wire_queue: Option<String>,
}

/// What the handling of every letter needs. Cheap to clone.
#[derive(Clone)]
struct Desk {
    clerk: Clerk,
    steps: Arc<Steps>,
    transport: Transport,
    #[cfg(feature = "smtp")]
    dkim: Option<crate::Dkim>,
    /// Set while the worker runs on and on: then letters wait where they are while all servers are paused.
    patient: Option<CancellationToken>,
    /// Whether messages of other programs come with ids of theirs, or with none.
    foreign_ids: bool,
    #[cfg(feature = "testing")]
    fault: Option<FaultHook>,
}

impl Mailer {
    /// A worker that sends what waits through `transport`.
    pub fn worker(&self, broker: Broker, transport: Transport) -> Worker {
        let transport = transport.on_clock_of(self.store());
        let health = WorkerHealth::new(&transport);
        let concurrency = transport.in_hand();
        let desk = Desk {
            clerk: Clerk {
                mailer: self.clone(),
                accounts: Arc::new(NoAccountLetters),
                health,
                brake: Brake::new(),
                hands_over: transport.hands_over(),
            },
            steps: Arc::new(Steps::new()),
            transport,
            #[cfg(feature = "smtp")]
            dkim: None,
            patient: None,
            foreign_ids: broker.is_rabbitmq(),
            #[cfg(feature = "testing")]
            fault: None,
        };
        Worker {
            broker,
            desk,
            concurrency,
            wire_queue: None,
        }
    }
}

impl Worker {
    /// Who makes account letters of intents.
    pub fn account_letters(mut self, accounts: Arc<dyn AccountLetters>) -> Self {
        self.desk.clerk.accounts = accounts;
        self
    }

    /// Signs every letter (`mail.dkim`).
    #[cfg(feature = "smtp")]
    pub fn sign_with(mut self, dkim: crate::Dkim) -> Self {
        self.desk.dkim = Some(dkim).filter(|dkim| !dkim.is_empty());
        self
    }

    /// Letters in hand at the same time: sixteen times the connections to a mail server by default, 32
    /// at least, so that connections need not wait for the database between two letters.
    pub fn concurrency(mut self, letters: usize) -> Self {
        self.concurrency = letters.clamp(1, 512);
        self
    }

    /// Also delivers the Python services' mail from this queue (`mail.queue`, `email_queue`).
    pub fn wire_queue(mut self, queue: impl Into<String>) -> Self {
        self.wire_queue = Some(queue.into());
        self
    }

    /// Calls `hook` between the steps, for tests that crash there.
    #[cfg(feature = "testing")]
    pub fn fault_hook(mut self, hook: FaultHook) -> Self {
        self.desk.fault = Some(hook);
        self
    }

    /// How it is doing, also once it runs.
    pub fn health(&self) -> WorkerHealth {
        self.desk.clerk.health.clone()
    }

    /// Sends letters until `stop`; then finishes the dialogues that were begun, and returns.
    ///
    /// Dropping the future is like the death of the process: nothing is lost, and whoever runs next
    /// reads from the ledger what was cut off.
    pub async fn run_until(mut self, stop: CancellationToken) -> Result<(), QueueError> {
        self.desk.patient = Some(stop.clone());
        let (desk, brake) = (self.desk.clone(), self.desk.clerk.brake.clone());
        brake.look(&desk.clerk.mailer).await;
        let requests = desk.clerk.mailer.requests();
        // Boxed, each some 8 KB: whoever runs a worker would carry them in a future of its own.
        let letters = Box::pin(self.consume(&brake, &stop));
        let requests = Box::pin(requests.run_until(stop.clone()));
        let both = async { tokio::try_join!(letters, requests) };
        let ended = tokio::select! {
            ended = both => ended.map(drop),
            never = brake.watch(&desk.clerk.mailer) => match never {},
        };
        desk.transport.close().await;
        ended
    }

    /// Takes messages but while all letters are paused; then what is in hand is finished, the rest given back.
    async fn consume(&self, brake: &Brake, stop: &CancellationToken) -> Result<(), QueueError> {
        let mut running: FuturesUnordered<BoxFuture<'_, Result<(), QueueError>>> = FuturesUnordered::new();
        let mut turn: Option<CancellationToken> = None;
        loop {
            match (&turn, brake.holds_all()) {
                (None, false) if !stop.is_cancelled() => {
                    let token = stop.child_token();
                    for queue in self.queues() {
                        running.push(Box::pin(self.consumer(queue).run_until(token.clone())));
                    }
                    turn = Some(token);
                }
                (Some(taking), true) => {
                    taking.cancel();
                    turn = None;
                }
                _ => {}
            }
            if running.is_empty() && stop.is_cancelled() {
                return Ok(());
            }
            tokio::select! {
                Some(ended) = running.next() => {
                    ended?;
                    let taking = turn.as_ref().is_some_and(|taking| !taking.is_cancelled());
                    if taking {
                        // One that ends by itself is started again by whoever runs this.
                        return Ok(());
                    }
                }
                () = brake.until(turn.is_some()), if !stop.is_cancelled() => {}
                () = stop.cancelled(), if running.is_empty() => {}
            }
        }
    }

    /// Sends what can be sent now and returns: for tests and tools. What is put off stays.
    pub async fn run_pending(self) -> Result<(), QueueError> {
        self.desk.clerk.mailer.requests().run_pending().await?;
        self.desk.clerk.brake.look(&self.desk.clerk.mailer).await;
        if self.desk.clerk.brake.holds_all() {
            return Ok(());
        }
        for queue in self.queues() {
            self.consumer(queue).run_pending().await?;
        }
        self.desk.transport.close().await;
        Ok(())
    }

    fn queues(&self) -> impl Iterator<Item = &str> {
        [MAIL_QUEUE, MAIL_BULK_QUEUE]
            .into_iter()
            .chain(self.wire_queue.as_deref())
    }

    fn consumer(&self, queue: &str) -> Consumer {
        let (desk, mailer) = (self.desk.clone(), self.desk.clerk.mailer.clone());
        self.broker
            .consume_any(queue, move |delivery| {
                let desk = desk.clone();
                async move { desk.handle(delivery).await }
            })
            .concurrency(self.concurrency)
            .deliver_expired()
            .on_dead(move |tx, dead| note_dead(mailer.clone(), tx, dead))
            // On RabbitMQ what is ours waits in rows of the database; what others put there has none.
            .held(self.desk.clerk.mailer.store())
    }
}

impl Desk {
    async fn handle(&self, delivery: gatepost_messaging::Delivery<Body>) -> Outcome {
        let id = delivery.id;
        let leave = match self.leave(delivery.expires_at).await {
            Ok(leave) => leave,
            Err(wait) => return Outcome::Later("the mail server is paused".to_owned(), wait),
        };
        match self.start(&delivery).await {
            Ok(start::Start::Send(job)) => self.send(&job, &delivery.ack(), leave).await,
            Ok(start::Start::Settled(outcome)) => outcome,
            Err(error) => {
                tracing::warn!(%id, %error, "a letter could not be started");
                later(&error)
            }
        }
    }

    /// Leave to give a letter to a server; none for what has expired, which is only noted.
    ///
    /// While all servers are paused letters wait here, so that a long queue is not turned over again and
    /// again; the rest is not even claimed.
    async fn leave(&self, expires_at: Option<Timestamp>) -> Result<Option<Leave>, Duration> {
        let store = self.clerk.mailer.store();
        let patience = store.now() + PATIENCE;
        loop {
            let wait = match self.transport.enter() {
                Ok(leave) => return Ok(Some(leave)),
                Err(wait) => wait,
            };
            let now = store.now();
            if expires_at.is_some_and(|at| at <= now) {
                return Ok(None);
            }
            let Some(stop) = self.patient.as_ref().filter(|stop| !stop.is_cancelled()) else {
                return Err(wait);
            };
            if now >= patience {
                return Err(wait);
            }
            tokio::select! {
                () = store.sleep_until(now + wait) => {}
                () = stop.cancelled() => {}
            }
        }
    }

    #[cfg(feature = "testing")]
    async fn reached(&self, point: FaultPoint, id: uuid::Uuid) {
        if let Some(hook) = &self.fault {
            hook(point, id).await;
        }
    }
}

/// Our own storage or the account letters' owner failed: nothing that the letter did.
fn later(error: &MailError) -> Outcome {
    let wait = if error.is_transient() {
        Duration::from_secs(1)
    } else {
        Duration::from_secs(15)
    };
    Outcome::Later(error.to_string(), wait)
}

/// In the transaction in which the queue itself gives a letter up, such as after five starts with no
/// end, the ledger says so. For whoever moves letters to another broker ([`Dispatcher::on_dead`]).
///
/// [`Dispatcher::on_dead`]: gatepost_messaging::Dispatcher::on_dead
pub fn note_dead<'a>(
    mailer: Mailer,
    tx: &'a mut gatepost_storage::Tx<'_>,
    dead: &'a DeadLetter,
) -> TxFuture<'a, (), QueueError> {
    Box::pin(async move {
        let reason = dead.reason.as_str();
        let ids = foreign::candidates(dead.id, &dead.body.bytes);
        for id in if is_ours(&dead.queue) { &ids[..1] } else { &ids[..] } {
            if deliveries::end_any(tx, *id, "failed", reason).await? {
                delivery_decisions::set_dead(tx, *id).await?;
                delivery_events::note(tx, *id, "failed", Some(reason)).await?;
                mailer.tell_failed(tx, *id).await?;
            }
        }
        Ok(())
    })
}
