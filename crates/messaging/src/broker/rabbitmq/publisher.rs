//! Publishing with confirms: whoever calls at the same time shares a batch.

use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use lapin::BasicProperties;
use tokio::sync::{Mutex, OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio::time::Instant;
use uuid::Uuid;

use super::lane::Lane;
use super::link::Link;
use super::refusal::unreachable;
use crate::{Error, Outgoing, PublishError};

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
    pub(crate) body: Content,
}

/// The bytes of a message: its own, or those of one in a batch, which nobody has to copy.
#[derive(Debug)]
pub(crate) enum Content {
    Own(Vec<u8>),
    Of(Arc<Vec<Outgoing>>, usize),
}

impl Deref for Content {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Content::Own(bytes) => bytes,
            Content::Of(batch, nth) => &batch[*nth].envelope.body.bytes,
        }
    }
}

/// What became of each of some parcels, in their order.
type Outcomes = Vec<Result<(), PublishError>>;

/// Parcels that go together, and who waits to hear of them.
pub(super) struct Load {
    pub(super) parcels: Vec<Parcel>,
    /// How long they wait for a connection.
    pub(super) until: Instant,
    pub(super) answer: oneshot::Sender<Outcomes>,
    /// Free for others once a channel has taken them.
    _places: OwnedSemaphorePermit,
}

/// The loads that wait, which all channels take from.
pub(super) struct Loads {
    waiting: mpsc::UnboundedReceiver<Load>,
    /// The first that no channel had room for.
    left: Option<Load>,
}

impl Loads {
    /// What there is, of `window` parcels at most, waited for; nothing at the end of the last publisher.
    pub(super) async fn take(&mut self, window: usize) -> Vec<Load> {
        let mut taken = Vec::new();
        let first = match self.left.take() {
            Some(left) => Some(left),
            None => self.waiting.recv().await,
        };
        let Some(first) = first else { return taken };
        let mut parcels = first.parcels.len();
        taken.push(first);
        while let Ok(next) = self.waiting.try_recv() {
            parcels += next.parcels.len();
            if parcels > window {
                self.left = Some(next);
                break;
            }
            taken.push(next);
        }
        taken
    }
}

/// The way to the channels that publish. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Publisher {
    loads: mpsc::UnboundedSender<Load>,
    places: Arc<Semaphore>,
    /// Parcels that go together at most.
    most: usize,
    patience: Duration,
}

impl Publisher {
    /// Starts the channels' tasks, which end with the last clone.
    pub(super) fn start(link: &Link) -> Self {
        let (sender, waiting) = mpsc::unbounded_channel();
        let loads = Arc::new(Mutex::new(Loads { waiting, left: None }));
        for _ in 0..link.settings().channels {
            tokio::spawn(Lane::new(link.publishing().clone(), Arc::clone(&loads)).run());
        }
        Self {
            loads: sender,
            places: Arc::new(Semaphore::new(WAITING)),
            most: link.settings().window.min(WAITING),
            patience: link.settings().patience,
        }
    }

    /// Publishes one and waits for what became of it. Dropping the future takes nothing back that is under way.
    pub(crate) async fn send_one(&self, parcel: Parcel) -> Result<(), PublishError> {
        let mut outcomes = hear(self.hand_over(vec![parcel]).await).await;
        outcomes.pop().unwrap_or(Err(PublishError::NotRequested))
    }

    /// Publishes all of them and waits for what became of each, in their order.
    pub(crate) async fn send(&self, parcels: Vec<Parcel>) -> Outcomes {
        let mut batch = self.batch();
        for parcel in parcels {
            batch.add(parcel).await;
        }
        batch.outcomes().await
    }

    /// For many: some are under way while others are made.
    pub(super) fn batch(&self) -> Batch<'_> {
        Batch {
            publisher: self,
            next: Vec::new(),
            told: Vec::new(),
        }
    }

    /// Puts them where the next free channel takes them.
    async fn hand_over(&self, parcels: Vec<Parcel>) -> Told {
        let count = parcels.len();
        let wanted = u32::try_from(count).unwrap_or(u32::MAX);
        let places = if let Ok(places) = Arc::clone(&self.places).try_acquire_many_owned(wanted) {
            Ok(places)
        } else {
            let free = Arc::clone(&self.places).acquire_many_owned(wanted);
            match tokio::time::timeout(self.patience, free).await {
                Ok(places) => places.map_err(|_| Error::Closed),
                Err(_) => Err(unreachable("too many messages wait for it")),
            }
        };
        let places = match places {
            Ok(places) => places,
            Err(error) => return Told::Now(same(count, &error.into())),
        };
        let (answer, told) = oneshot::channel();
        let until = Instant::now() + self.patience;
        let load = Load {
            parcels,
            until,
            answer,
            _places: places,
        };
        match self.loads.send(load) {
            Ok(()) => Told::Later(count, told),
            Err(_) => Told::Now(same(count, &Error::Closed.into())),
        }
    }
}

/// Many parcels of one caller.
pub(super) struct Batch<'p> {
    publisher: &'p Publisher,
    next: Vec<Parcel>,
    told: Vec<Told>,
}

impl Batch<'_> {
    /// Adds one, and sends what makes a channel's window full on its way.
    pub(super) async fn add(&mut self, parcel: Parcel) {
        if self.next.is_empty() {
            self.next.reserve_exact(self.publisher.most);
        }
        self.next.push(parcel);
        if self.next.len() == self.publisher.most {
            self.hand_over().await;
        }
    }

    /// Waits for what became of each, in the order in which they were added.
    pub(super) async fn outcomes(mut self) -> Outcomes {
        if !self.next.is_empty() {
            self.hand_over().await;
        }
        let mut outcomes = Vec::new();
        for told in self.told {
            outcomes.extend(hear(told).await);
        }
        outcomes
    }

    async fn hand_over(&mut self) {
        let parcels = std::mem::take(&mut self.next);
        self.told.push(self.publisher.hand_over(parcels).await);
    }
}

/// By which what became of parcels is heard.
enum Told {
    Now(Outcomes),
    Later(usize, oneshot::Receiver<Outcomes>),
}

async fn hear(told: Told) -> Outcomes {
    match told {
        Told::Now(outcomes) => outcomes,
        Told::Later(count, told) => match told.await {
            Ok(outcomes) => outcomes,
            // A lane answers everything that it took, so the runtime is ending.
            Err(_) => same(count, &Error::Closed.into()),
        },
    }
}

/// The same for each.
pub(super) fn same(count: usize, error: &PublishError) -> Outcomes {
    (0..count).map(|_| Err(error.clone())).collect()
}
