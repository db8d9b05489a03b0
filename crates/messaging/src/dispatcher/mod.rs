//! The dispatcher: from the outbox to a broker that is not part of the database.
//!
//! It takes rows on a lease, publishes them in windows and notes in batches what became of them. Several work side
//! by side, in one process or in many. What it dies with is published again when the lease has run out, under
//! the same id.
//!
//! Rows of most queues go with the broker's confirm. Those of [held](Dispatcher::hold) queues stay until whoever
//! handles the message ends them in the transaction that says so, and what the broker turns out to have lost is
//! published again.

mod audit;
mod health;
mod lane;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use gatepost_storage::Store;
use tokio_util::sync::CancellationToken;

pub use health::DispatcherHealth;

use crate::queues::DeadHook;
use crate::{Broker, DeadLetter, Error};

/// Moves messages from the outbox to the broker; made by [`Broker::dispatch`].
#[must_use = "a dispatcher does nothing until it is run"]
pub struct Dispatcher(Plan);

/// What every lane works by. Cheap to clone.
#[derive(Clone)]
struct Plan {
    broker: Broker,
    store: Store,
    held: Arc<BTreeSet<String>>,
    except: Arc<BTreeSet<String>>,
    exchanges: Arc<BTreeMap<String, String>>,
    lanes: usize,
    window: usize,
    poll: Duration,
    lease: Duration,
    on_dead: Option<DeadHook>,
    health: DispatcherHealth,
}

impl Broker {
    /// Moves what is published in `store`'s outbox to this broker. With the embedded broker, whose consumers
    /// take the rows themselves, there is nothing to move.
    pub fn dispatch(&self, store: &Store) -> Dispatcher {
        Dispatcher(Plan {
            broker: self.clone(),
            store: store.clone(),
            held: Arc::default(),
            except: Arc::default(),
            exchanges: Arc::default(),
            lanes: 2,
            window: 256,
            poll: Duration::from_secs(1),
            lease: Duration::from_secs(30),
            on_dead: None,
            health: DispatcherHealth::default(),
        })
    }
}

impl Dispatcher {
    /// Keeps the rows of this queue until the messages' end is known. Its consumers are told so as well
    /// (`Consumer::held`): they end, postpone or bury the row in the transaction that says so.
    pub fn hold(mut self, queue: impl Into<String>) -> Self {
        Arc::make_mut(&mut self.0.held).insert(queue.into());
        self
    }

    /// Leaves this queue's rows alone: they have consumers of their own, on the embedded broker.
    pub fn except(mut self, queue: impl Into<String>) -> Self {
        Arc::make_mut(&mut self.0.except).insert(queue.into());
        self
    }

    /// Publishes this queue's rows to an exchange instead, each with its type as the key. Nobody listening is
    /// no error: so for events.
    pub fn to_exchange(mut self, queue: impl Into<String>, exchange: impl Into<String>) -> Self {
        Arc::make_mut(&mut self.0.exchanges).insert(queue.into(), exchange.into());
        self
    }

    /// Windows under way at the same time: 2 by default, so that one is published while the other is noted.
    pub fn lanes(mut self, lanes: usize) -> Self {
        self.0.lanes = lanes.clamp(1, 16);
        self
    }

    /// Messages of one window at most: 256 by default. Bodies are bounded besides, at 16 MiB a window.
    pub fn window(mut self, messages: usize) -> Self {
        self.0.window = messages.clamp(1, 10_000);
        self
    }

    /// How often it looks without having been woken: every second by default. What other programs publish
    /// by SQL wakes nobody.
    pub fn safety_poll(mut self, every: Duration) -> Self {
        self.0.poll = every;
        self
    }

    /// How long rows of a dispatcher that died stay out of sight: 30 s by default, and never less than 15 s, as
    /// an answer of the broker may take 10 s.
    pub fn lease(mut self, lease: Duration) -> Self {
        self.0.lease = lease.max(Duration::from_secs(15));
        self
    }

    /// Runs in the transaction in which a message becomes a dead letter because no broker would ever take it.
    pub fn on_dead<H>(mut self, hook: H) -> Self
    where
        H: for<'a> Fn(
                &'a mut gatepost_storage::Tx<'_>,
                &'a DeadLetter,
            ) -> gatepost_storage::TxFuture<'a, (), Error>
            + Send
            + Sync
            + 'static,
    {
        self.0.on_dead = Some(Arc::new(hook));
        self
    }

    /// How it is doing, also once it runs.
    pub fn health(&self) -> DispatcherHealth {
        self.0.health.clone()
    }

    /// Works until `stop`; then finishes the windows that are under way, and returns. While the broker is away or
    /// blocked it takes nothing. Dropping the future is like the death of the process: what was under way is
    /// published again when its lease has run out.
    ///
    /// # Errors
    /// What keeps it from starting. Once it runs, it logs failures and tries again.
    pub async fn run_until(self, stop: CancellationToken) -> Result<(), Error> {
        if !self.0.broker.is_rabbitmq() {
            stop.cancelled().await;
            return Ok(());
        }
        lane::queues(&self.0.store).await?;
        let turn = Arc::new(lane::Turn::new(&self.0.store));
        let lanes = (0..self.0.lanes).map(|_| lane::run(&self.0, &turn, &stop));
        tokio::join!(futures_util::future::join_all(lanes), audit::run(&self.0, &stop));
        Ok(())
    }

    /// Moves what can be moved now and returns: for tests and tools. It looks once after what was handed over, too.
    ///
    /// # Errors
    /// The database's, or the broker's that is away.
    pub async fn run_pending(self) -> Result<(), Error> {
        if !self.0.broker.is_rabbitmq() {
            return Ok(());
        }
        let turn = lane::Turn::new(&self.0.store);
        loop {
            while lane::once(&self.0, &turn).await? > 0 {}
            if audit::all(&self.0).await? == 0 {
                return Ok(());
            }
        }
    }
}
