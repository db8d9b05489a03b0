//! Say something once, have it handled at least once.
//!
//! * [`Outbox::publish`] inserts a message in the caller's transaction: it exists if and only if what it
//!   is about does. No broker is asked, so none can be down.
//! * [`Broker::consume`] hands each message to a handler, which answers with an [`Outcome`]: done, again
//!   later, or never. Tries are spread by a [`Retry`] ladder; what fails for good becomes a dead letter
//!   with its reason, and can be looked at and put back ([`Queues`]).
//! * Delivery is at least once. [`Consumer::once`] skips ids that were handled, and [`Ack::done_in`]
//!   acknowledges inside the handler's own transaction, so that what it wrote and the message's end are
//!   one.
//! * A message that kills its process is found out by its count of starts and put aside.
//!
//! With the feature `sqlite` or `postgres` (either brings both databases) there is the outbox and the
//! embedded broker, which claims the outbox's rows on a lease. Without them there are the types alone.
//!
#![cfg_attr(feature = "store", doc = "```")]
#![cfg_attr(not(feature = "store"), doc = "```ignore")]
//! use gatepost_messaging::{Broker, Message, Outbox, Outcome};
//! use gatepost_storage::{Set, Store, StoreOptions};
//!
//! #[derive(serde::Serialize, serde::Deserialize)]
//! struct OrderPaid {
//!     order: i64,
//! }
//! impl Message for OrderPaid {
//!     const TYPE: &'static str = "order.paid";
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), gatepost_messaging::Error> {
//! # let folder = tempfile::tempdir().unwrap();
//! # let url = format!("sqlite://{}/shop.db", folder.path().display());
//! let store = Store::open(&url, StoreOptions::default()).await?;
//! store.migrate(&[Set::Messaging]).await?;
//!
//! let outbox = Outbox::new(&store);
//! let publish = outbox.clone();
//! store
//!     .run_tx("pay", move |tx| {
//!         let outbox = publish.clone();
//!         // Beside it, in the same transaction: UPDATE orders SET paid = true ...
//!         Box::pin(async move { outbox.publish(tx, "billing", &OrderPaid { order: 7 }).await })
//!     })
//!     .await?;
//!
//! let (seen, mut orders) = tokio::sync::mpsc::unbounded_channel();
//! Broker::embedded(&store)
//!     .consume::<OrderPaid, _, _>("billing", move |d| {
//!         let seen = seen.clone();
//!         async move {
//!             let _ = seen.send(d.message.order);
//!             Outcome::Done
//!         }
//!     })
//!     .once(&store)
//!     .run_pending() // a service uses `run_until(stop)`
//!     .await?;
//! assert_eq!(orders.recv().await, Some(7));
//! # Ok(())
//! # }
//! ```

mod config;
mod envelope;
mod error;
mod message;
mod outcome;
mod random;
mod retry;
mod topology;

#[cfg(feature = "store")]
mod batch;
#[cfg(feature = "store")]
mod broker;
#[cfg(feature = "store")]
mod consume;
#[cfg(feature = "store")]
mod delivery;
#[cfg(feature = "store")]
mod publish;
#[cfg(feature = "store")]
mod queues;
#[cfg(feature = "testing")]
pub mod testing;
#[cfg(not(feature = "store"))]
mod time;
#[cfg(feature = "store")]
mod verdict;

pub use config::{QueueConfig, Retention};
pub use envelope::{
    Body, Envelope, Headers, MAX_BODY, MAX_QUEUE_NAME, MAX_SHORT, Priority, check_queue_name,
};
pub use error::Error;
pub use message::Message;
pub use outcome::{DeadReason, Outcome, UnknownReason};
pub use random::Random;
pub use retry::Retry;
pub use topology::Topology;

#[cfg(feature = "store")]
pub use broker::Broker;
#[cfg(feature = "store")]
pub use consume::Consumer;
#[cfg(feature = "store")]
pub use delivery::{Ack, Delivery};
#[cfg(feature = "store")]
pub use gatepost_storage::Timestamp;
#[cfg(feature = "store")]
pub use publish::{Outbox, Published};
#[cfg(feature = "store")]
pub use queues::{DeadLetter, QueueStatus, Queues, Swept, Waiting};
#[cfg(not(feature = "store"))]
pub use time::Timestamp;

/// The topic on which the store wakes consumers when something was published.
#[cfg(feature = "store")]
pub const TOPIC: &str = "outbox";
