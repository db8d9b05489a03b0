//! Consumers: take messages, hand them to a handler, and see to it that each comes to an end.

use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, join_all};
#[cfg(feature = "store")]
use gatepost_storage::{Store, Tx, TxFuture};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::broker::{Arrival, Source, Want};
#[cfg(feature = "store")]
use crate::queues::{DeadHook, DeadLetter};
use crate::verdict::{Facts, Verdict};
use crate::{Ack, Body, Broker, DeadReason, Delivery, Error, Message, Outcome, QueueConfig, Random};

/// Takes messages from one queue; made by [`Broker::consume`].
#[must_use = "a consumer does nothing until it is run"]
pub struct Consumer {
    broker: Broker,
    prefetch: Option<usize>,
    concurrency: usize,
    #[cfg(feature = "store")]
    once: Option<Store>,
    #[cfg(feature = "store")]
    held: Option<Store>,
    #[cfg(feature = "store")]
    on_dead: Option<DeadHook>,
    until_idle: bool,
    shared: Shared,
}

/// What the handling of every message needs.
#[derive(Clone)]
struct Shared {
    queue: Arc<str>,
    config: Arc<QueueConfig>,
    random: Random,
    handler: Handler,
    deliver_expired: bool,
}

impl Consumer {
    pub(crate) fn new(
        broker: Broker,
        queue: String,
        config: Arc<QueueConfig>,
        random: Random,
        handler: Handler,
    ) -> Self {
        let shared = Shared {
            queue: queue.into(),
            config,
            random,
            handler,
            deliver_expired: false,
        };
        Self {
            broker,
            prefetch: None,
            concurrency: 16,
            #[cfg(feature = "store")]
            once: None,
            #[cfg(feature = "store")]
            held: None,
            #[cfg(feature = "store")]
            on_dead: None,
            until_idle: false,
            shared,
        }
    }

    /// Handlers that run at the same time at most: 16 by default.
    pub fn concurrency(mut self, handlers: usize) -> Self {
        self.concurrency = handlers.clamp(1, 10_000);
        self
    }

    /// Messages in hand at most, those that wait for a handler included: twice the concurrency by default,
    /// and never less than it. More smooths the load of the database; what is in hand is out of sight of
    /// other instances, and of more urgent messages that arrive later.
    pub fn prefetch(mut self, messages: usize) -> Self {
        self.prefetch = Some(messages.clamp(1, 10_000));
        self
    }

    /// Skips messages whose id was handled before, and notes those that are done, in `store`: for the
    /// embedded broker the one that it is on, so that both are one transaction. Notes are kept for
    /// [`Retention::handled`](crate::Retention::handled).
    #[cfg(feature = "store")]
    pub fn once(mut self, store: &Store) -> Self {
        self.once = Some(store.clone());
        self
    }

    /// For messages whose rows wait in the outbox of `store` until their end is known (a dispatcher published
    /// them to RabbitMQ and kept the rows): how they end is written there, in the handler's transaction or in one
    /// of the consumer's own, and what is to come next comes from there. What has no row ends as usual. The
    /// embedded broker, which has nothing but rows, ignores this.
    #[cfg(feature = "store")]
    pub fn held(mut self, store: &Store) -> Self {
        self.held = Some(store.clone());
        self
    }

    /// Hands the handler also what has expired. By default that becomes a dead letter (`expired`).
    pub fn deliver_expired(mut self) -> Self {
        self.shared.deliver_expired = true;
        self
    }

    /// Runs in the transaction in which this consumer makes a message a dead letter, whatever the reason;
    /// if it fails, the message is delivered again. On RabbitMQ it is a transaction of its own, before the
    /// message goes: should the process die between the two, it runs once more. Not for what a handler settled by
    /// [`Ack::settle_in`]: it has written what it wanted there.
    #[cfg(feature = "store")]
    pub fn on_dead<H>(mut self, hook: H) -> Self
    where
        H: for<'a> Fn(&'a mut Tx<'_>, &'a DeadLetter) -> TxFuture<'a, (), Error> + Send + Sync + 'static,
    {
        self.on_dead = Some(Arc::new(hook));
        self
    }

    /// Handles messages until `stop`. Then it takes no more, gives back what it had fetched and not begun,
    /// finishes what was begun, and returns. Dropping the future instead is like the death of the process:
    /// handlers are cut off, and their messages come again when their leases have run out (on RabbitMQ: at
    /// once).
    ///
    /// # Errors
    /// What keeps it from starting. Once it runs, it logs failures of the database and tries again.
    pub async fn run_until(self, stop: CancellationToken) -> Result<(), Error> {
        let prefetch = self
            .prefetch
            .unwrap_or(self.concurrency * 2)
            .max(self.concurrency);
        let want = Want {
            queue: self.shared.queue.as_ref().to_owned(),
            config: Arc::clone(&self.shared.config),
            prefetch,
            refill: (prefetch / 4).min(prefetch - self.concurrency).max(1),
            until_idle: self.until_idle,
            #[cfg(feature = "store")]
            once: self.once,
            #[cfg(feature = "store")]
            held: self.held,
            #[cfg(feature = "store")]
            on_dead: self.on_dead,
        };
        let slots = Arc::new(Semaphore::new(self.concurrency));
        let mut running = JoinSet::new();
        // Made after the handlers' set, so that it is dropped before it.
        let mut source = self.broker.open(want).await?;
        let mut next: Option<Arrival> = None;
        let ended = loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => break false,
                Some(ended) = running.join_next(), if !running.is_empty() => note_panic(ended),
                slot = Arc::clone(&slots).acquire_owned(), if next.is_some() => {
                    if let (Some(arrival), Ok(slot)) = (next.take(), slot) {
                        running.spawn(handle(self.shared.clone(), arrival, slot));
                    }
                }
                arrival = source.next(), if next.is_none() => match arrival {
                    Some(arrival) => next = Some(arrival),
                    None => break true,
                },
            }
        };
        self.shared.give_back(&mut source, next).await;
        while let Some(ended) = running.join_next().await {
            note_panic(ended);
        }
        source.heard().await;
        if ended && !self.until_idle {
            Err(Error::Closed)
        } else {
            Ok(())
        }
    }

    /// Handles what can be handled now, also what that publishes to the same queue, and returns when
    /// nothing is left. For tests and tools: what is delayed stays.
    ///
    /// # Errors
    /// What keeps it from starting.
    pub async fn run_pending(mut self) -> Result<(), Error> {
        self.until_idle = true;
        self.run_until(CancellationToken::new()).await
    }
}

/// Our own code does not panic and handlers are caught, so this would be a defect.
fn note_panic(ended: Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended {
        tracing::error!(%error, "the task of a message ended badly; the message comes again");
    }
}

impl Shared {
    fn ack(&self, arrival: Arrival) -> (Delivery<Body>, Begun) {
        let Arrival {
            id,
            kind,
            headers,
            body,
            priority,
            attempts,
            starts,
            enqueued_at,
            expires_at,
            redelivered,
            fresh_id,
            ..
        } = arrival;
        let facts = Facts { attempts, expires_at };
        let ack = Ack::new(
            arrival.ticket,
            facts,
            Arc::clone(&self.config),
            self.random.clone(),
        );
        let begun = Begun {
            starts,
            handled: arrival.handled,
            _places: arrival.places,
        };
        let queue = self.queue.as_ref().to_owned();
        let attempt = attempts.saturating_add(starts).max(1);
        let message = body;
        (
            Delivery {
                id,
                queue,
                kind,
                headers,
                priority,
                attempt,
                enqueued_at,
                expires_at,
                redelivered,
                fresh_id,
                message,
                ack,
            },
            begun,
        )
    }

    /// What was fetched and not begun keeps its place in the queue.
    async fn give_back(&self, source: &mut Source, next: Option<Arrival>) {
        let left: Vec<_> = next
            .into_iter()
            .chain(source.stop().await)
            .map(|arrival| self.ack(arrival))
            .collect();
        let release = left
            .iter()
            .map(|(delivery, _)| delivery.ack.close(Verdict::Release));
        let released = if source.keeps_order() {
            let mut released = Vec::with_capacity(left.len());
            for one in release {
                released.push(one.await);
            }
            released
        } else {
            join_all(release).await
        };
        for error in released.into_iter().filter_map(Result::err) {
            tracing::warn!(queue = %self.queue, %error, "a message could not be given back; it comes again later");
        }
    }

    /// What becomes of a message without asking the handler.
    fn without_handler(&self, delivery: &Delivery<Body>, begun: &Begun) -> Option<Verdict> {
        if begun.handled {
            tracing::debug!(queue = %self.queue, id = %delivery.id, "a message was handled before, skipped");
            return Some(Verdict::Done);
        }
        if begun.starts > self.config.max_starts {
            let detail = format!("{} starts in a row came to no end", begun.starts - 1);
            return Some(Verdict::Dead {
                reason: DeadReason::CrashLoop,
                detail,
                counted: false,
            });
        }
        let now = delivery.ack.now();
        match delivery.expires_at {
            Some(expires_at) if expires_at <= now && !self.deliver_expired => {
                let detail = format!("it expired at {expires_at}");
                Some(Verdict::Dead {
                    reason: DeadReason::Expired,
                    detail,
                    counted: false,
                })
            }
            _ => None,
        }
    }
}

struct Begun {
    starts: u32,
    handled: bool,
    _places: Vec<OwnedSemaphorePermit>,
}

async fn handle(shared: Shared, arrival: Arrival, slot: OwnedSemaphorePermit) {
    let (delivery, begun) = shared.ack(arrival);
    let (id, ack) = (delivery.id, delivery.ack());
    if !ack.alive() {
        tracing::debug!(queue = %shared.queue, %id, "the broker took a message back before it was begun");
        return;
    }
    let settled = match shared.without_handler(&delivery, &begun) {
        Some(verdict) => {
            drop(slot);
            ack.close(verdict).await
        }
        None => match (shared.handler.0)(delivery) {
            Err(malformed) => {
                drop(slot);
                let reason = DeadReason::Malformed;
                ack.close(Verdict::Dead {
                    reason,
                    detail: malformed,
                    counted: false,
                })
                .await
            }
            Ok(run) => {
                let outcome = AssertUnwindSafe(run)
                    .catch_unwind()
                    .await
                    .unwrap_or_else(|panic| {
                        tracing::error!(queue = %shared.queue, %id, "a handler panicked");
                        Outcome::Retry(format!("the handler panicked: {}", panic_text(panic.as_ref())))
                    });
                drop(slot);
                match ack.settled() {
                    // Written in a transaction of the handler's. Had that been rolled back all the same, the
                    // lease runs out and the message comes again.
                    #[cfg(feature = "store")]
                    Some(written) if written == outcome => ack.finish().await,
                    // It was rolled back, and this is what came of it; or it was not, and this changes nothing.
                    Some(_) => ack.settle(&outcome).await.map(|_| true),
                    None => ack.settle(&outcome).await,
                }
            }
        },
    };
    match settled {
        Ok(true) => {}
        Ok(false) => {
            tracing::warn!(queue = %shared.queue, %id, "a message was settled too late: its lease was lost, somebody else has it");
        }
        Err(error) => {
            tracing::error!(queue = %shared.queue, %id, %error, "a message could not be settled; it comes again");
        }
    }
}

fn panic_text(panic: &(dyn Any + Send)) -> &str {
    panic
        .downcast_ref::<&'static str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("without a text")
}

/// A handler with its message's type taken away; refuses what is not of that type, saying why.
#[derive(Clone)]
pub(crate) struct Handler(Arc<HandleFn>);

type HandleFn = dyn Fn(Delivery<Body>) -> Result<BoxFuture<'static, Outcome>, String> + Send + Sync;

impl Handler {
    pub(crate) fn any<H, F>(handler: H) -> Self
    where
        H: Fn(Delivery<Body>) -> F + Send + Sync + 'static,
        F: Future<Output = Outcome> + Send + 'static,
    {
        let handler = Arc::new(handler);
        Self(Arc::new(move |delivery| {
            let handler = Arc::clone(&handler);
            Ok(async move { handler(delivery).await }.boxed())
        }))
    }

    pub(crate) fn typed<M, H, F>(handler: H) -> Self
    where
        M: Message,
        H: Fn(Delivery<M>) -> F + Send + Sync + 'static,
        F: Future<Output = Outcome> + Send + 'static,
    {
        let handler = Arc::new(handler);
        Self(Arc::new(move |delivery| {
            let delivery = read::<M>(delivery)?;
            let handler = Arc::clone(&handler);
            Ok(async move { handler(delivery).await }.boxed())
        }))
    }
}

fn read<M: Message>(delivery: Delivery<Body>) -> Result<Delivery<M>, String> {
    if delivery.kind != M::TYPE {
        return Err(format!(
            "its type is {:?}, this consumer takes {:?}",
            delivery.kind,
            M::TYPE
        ));
    }
    // serde's own words may quote the body, which may be secret.
    let message = delivery.message.parse::<M>().map_err(|error| {
        format!(
            "its body is no {}: {:?} error at line {}, column {}",
            M::TYPE,
            error.classify(),
            error.line(),
            error.column()
        )
    })?;
    Ok(delivery.with_message(message))
}
