//! Publishing with confirms: whoever calls at the same time shares a batch.

use std::sync::Arc;

use lapin::BasicProperties;
use tokio::sync::{Mutex, mpsc, oneshot};
use uuid::Uuid;

use super::lane::Lane;
use super::link::Link;
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
    pub(super) answer: oneshot::Sender<Result<(), PublishError>>,
}

/// The way to the channels that publish. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Publisher(mpsc::Sender<Item>);

impl Publisher {
    /// Starts the channels' tasks, which end with the last clone.
    pub(super) fn start(link: &Link) -> Self {
        let (sender, items) = mpsc::channel(WAITING);
        let items = Arc::new(Mutex::new(items));
        for _ in 0..link.settings().channels {
            tokio::spawn(Lane::new(link.publishing().clone(), Arc::clone(&items)).run());
        }
        Self(sender)
    }

    /// Publishes all of them and waits for what became of each, in their order. Dropping the future takes
    /// nothing back that is under way.
    pub(crate) async fn send(&self, parcels: Vec<Parcel>) -> Vec<Result<(), PublishError>> {
        let mut answers = Vec::with_capacity(parcels.len());
        for parcel in parcels {
            let (answer, told) = oneshot::channel();
            answers.push(told);
            if self.0.send(Item { parcel, answer }).await.is_err() {
                break;
            }
        }
        let mut outcomes = Vec::with_capacity(answers.len());
        for told in answers {
            // A lane answers everything that it took; one that is gone took nothing more.
            outcomes.push(
                told.await
                    .unwrap_or_else(|_| Err(PublishError::from(Error::Closed))),
            );
        }
        outcomes
    }

    /// Publishes one.
    pub(crate) async fn send_one(&self, parcel: Parcel) -> Result<(), PublishError> {
        let (answer, told) = oneshot::channel();
        let item = Item { parcel, answer };
        if self.0.send(item).await.is_err() {
            return Err(Error::Closed.into());
        }
        told.await.unwrap_or_else(|_| Err(Error::Closed.into()))
    }
}
