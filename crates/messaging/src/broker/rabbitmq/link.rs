//! The connections of a process: one that publishes and one that consumes, since the broker stops reading from
//! a publishing one when it runs short of memory, and acknowledgements must not wait for that.

use std::sync::Arc;

use tokio::sync::watch;

use super::settings::RabbitSettings;
use super::supervised::{State, Supervised, WeakSupervised};
use crate::BrokerHealth;

/// Both connections. Cheap to clone; they close when the last clone is gone.
#[derive(Clone)]
pub(crate) struct Link {
    publishing: Supervised,
    consuming: Supervised,
    health: watch::Receiver<BrokerHealth>,
}

impl Link {
    /// Begins to connect, in the background.
    pub(super) fn new(settings: RabbitSettings) -> Self {
        let settings = Arc::new(settings);
        let publishing = Supervised::new(&settings, "publishing");
        let consuming = Supervised::new(&settings, "consuming");
        let (sender, health) = watch::channel(BrokerHealth::default());
        tokio::spawn(tell(publishing.watch(), sender));
        Self {
            publishing,
            consuming,
            health,
        }
    }

    /// The connection for what is published. The broker blocks it when it runs short of something.
    pub(crate) fn publishing(&self) -> &Supervised {
        &self.publishing
    }

    /// The connection for what is consumed, and for questions: nothing is ever published on it, so it is never
    /// blocked. Made at its first use.
    pub(crate) fn consuming(&self) -> &Supervised {
        &self.consuming
    }

    pub(super) fn downgrade(&self) -> WeakLink {
        WeakLink {
            publishing: self.publishing.downgrade(),
            consuming: self.consuming.downgrade(),
            health: self.health.clone(),
        }
    }

    pub(crate) fn settings(&self) -> &RabbitSettings {
        self.publishing.settings()
    }

    pub(crate) fn health(&self) -> watch::Receiver<BrokerHealth> {
        self.health.clone()
    }
}

/// The same for a task that must not keep the connections.
pub(super) struct WeakLink {
    publishing: WeakSupervised,
    consuming: WeakSupervised,
    health: watch::Receiver<BrokerHealth>,
}

impl WeakLink {
    pub(super) fn upgrade(&self) -> Option<Link> {
        Some(Link {
            publishing: self.publishing.upgrade()?,
            consuming: self.consuming.upgrade()?,
            health: self.health.clone(),
        })
    }
}

async fn tell(mut states: watch::Receiver<State>, health: watch::Sender<BrokerHealth>) {
    loop {
        let now = match &*states.borrow_and_update() {
            State::Down { error } => BrokerHealth {
                connected: false,
                error: error.as_ref().map(ToString::to_string),
                ..health.borrow().clone()
            },
            State::Up(up) => BrokerHealth {
                connected: true,
                blocked: up.blocked.as_deref().map(str::to_owned),
                error: None,
                ..health.borrow().clone()
            },
        };
        health.send_if_modified(|old| {
            let changed = *old != now;
            *old = now;
            changed
        });
        if states.changed().await.is_err() {
            return;
        }
    }
}
