//! Where the process is in its life, for `/readyz` and for shutting down.

use std::sync::PoisonError;
use std::sync::RwLock;
use std::sync::atomic::{AtomicBool, Ordering};

use gatepost_mail::WorkerHealth;
use gatepost_messaging::{BrokerHealth, DispatcherHealth};
use gatepost_storage::Timestamp;

/// What the process knows of itself.
#[derive(Debug, Default)]
pub struct Lifecycle {
    stopping: AtomicBool,
    migrated: AtomicBool,
    mail: RwLock<Option<WorkerHealth>>,
    dispatcher: RwLock<Option<DispatcherHealth>>,
}

impl Lifecycle {
    /// It was told to stop: it is no longer ready, and goes on serving until it has drained.
    pub fn begin_stopping(&self) {
        self.stopping.store(true, Ordering::Release);
    }

    /// Whether it was told to stop.
    pub fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Acquire)
    }

    /// The database has our schema and knows our secret.
    pub fn set_migrated(&self) {
        self.migrated.store(true, Ordering::Release);
    }

    /// Whether the database has our schema and knows our secret.
    pub fn is_migrated(&self) -> bool {
        self.migrated.load(Ordering::Acquire)
    }

    /// Keep an eye on the mail worker of this process.
    pub fn watch(&self, mail: WorkerHealth) {
        *self.mail.write().unwrap_or_else(PoisonError::into_inner) = Some(mail);
    }

    /// How the mail worker of this process is doing, if it has one.
    pub fn mail(&self) -> Option<WorkerHealth> {
        self.mail.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Keep an eye on the dispatcher of this process.
    pub fn watch_dispatcher(&self, dispatcher: DispatcherHealth) {
        *self.dispatcher.write().unwrap_or_else(PoisonError::into_inner) = Some(dispatcher);
    }

    /// How the dispatcher of this process is doing, if it has one.
    pub fn dispatcher(&self) -> Option<DispatcherHealth> {
        self.dispatcher
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// What is away that the process can do without, at `now`: the mail server, and the broker that stands so.
    pub fn degraded(&self, now: Timestamp, broker: &BrokerHealth) -> Vec<&'static str> {
        let paused = self.mail().and_then(|mail| mail.paused_until());
        let smtp = paused.filter(|until| *until > now).map(|_| "smtp");
        let broker = (!broker.connected || broker.blocked.is_some()).then_some("broker");
        smtp.into_iter().chain(broker).collect()
    }
}
