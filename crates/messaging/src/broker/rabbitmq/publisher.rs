//! Publishing with confirms: whoever calls at the same time shares a batch.

use std::sync::Arc;
use std::time::Duration;

use lapin::BasicProperties;
use tokio::sync::{Mutex, mpsc, oneshot};
use tokio::time::Instant;
use uuid::Uuid;

use super::lane::Lane;
use super::link::Link;
use super::refusal::unreachable;
use crate::{Error, PublishError};

/// Messages that wait for a channel; who comes after waits for a place.
const WAITING: usize = 1024;

/// A message as it goes on the wire.
#[derive(Debug)]
pub(crate) struct Parcel {
    /// The id in its properties: what the broker gives back is known by it.
    pub(crate) id: Uuid,
    pub(crate) exchange: String,
    pub(crate) key: String,
    /// Whether the broker gives it back if no queue gets it.
    pub(crate) mandatory: bool,
    pub(crate) properties: BasicProperties,
    pub(crate) body: Vec<u8>,
}

/// A parcel and who waits to hear of it.
pub(super) struct Item {
    pub(super) parcel: Parcel,
    /// How long it waits for a connection.
    pub(super) until: Instant,
    pub(super) answer: oneshot::Sender<Result<(), PublishError>>,
}

/// The way to the channels that publish. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Publisher {
    items: mpsc::Sender<Item>,
    patience: Duration,
}

impl Publisher {
    /// Starts the channels' tasks, which end with the last clone.
    pub(super) fn start(link: &Link) -> Self {
        let (sender, items) = mpsc::channel(WAITING);
        let items = Arc::new(Mutex::new(items));
        for _ in 0..link.settings().channels {
            tokio::spawn(Lane::new(link.publishing().clone(), Arc::clone(&items)).run());
        }
        Self {
            items: sender,
            patience: link.settings().patience,
        }
    }

    /// Publishes all of them and waits for what became of each, in their order. Dropping the future takes
    /// nothing back that is under way.
    pub(crate) async fn send(&self, parcels: Vec<Parcel>) -> Vec<Result<(), PublishError>> {
        let mut told = Vec::with_capacity(parcels.len());
        for parcel in parcels {
            told.push(self.hand_over(parcel).await);
        }
        let mut outcomes = Vec::with_capacity(told.len());
        for told in told {
            outcomes.push(hear(told).await);
        }
        outcomes
    }

    /// Publishes one.
    pub(crate) async fn send_one(&self, parcel: Parcel) -> Result<(), PublishError> {
        hear(self.hand_over(parcel).await).await
    }

    /// Puts it where the next free channel takes it. For many: each is under way while the next is made.
    pub(super) async fn hand_over(&self, parcel: Parcel) -> Result<Told, PublishError> {
        let place = match self.items.try_reserve() {
            Ok(place) => place,
            Err(_) => match tokio::time::timeout(self.patience, self.items.reserve()).await {
                Ok(Ok(place)) => place,
                Ok(Err(_)) => return Err(Error::Closed.into()),
                Err(_) => return Err(unreachable("too many messages wait for it").into()),
            },
        };
        let (answer, told) = oneshot::channel();
        let until = Instant::now() + self.patience;
        place.send(Item {
            parcel,
            until,
            answer,
        });
        Ok(told)
    }
}

/// By which what became of a parcel is heard.
pub(super) type Told = oneshot::Receiver<Result<(), PublishError>>;

/// Waits for what became of a parcel that was handed over.
pub(super) async fn hear(told: Result<Told, PublishError>) -> Result<(), PublishError> {
    // A lane answers everything that it took.
    told?.await.unwrap_or_else(|_| Err(Error::Closed.into()))
}
