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
//! * [`Events::tell`] says what happened, in the same way, to whoever wants to know: they read along by a cursor that
//!   skips nothing ([`Events::after`]), or are told one after another by an [`events::Relay`].
//! * A message that kills its process is found out by its count of starts and put aside.
//!
//! With the feature `sqlite` or `postgres` (either brings both databases) there is the outbox and the
//! embedded broker, which claims the outbox's rows on a lease. With `rabbitmq` there is
//! [`Broker::connect`](https://docs.rs/gatepost-messaging), which needs no database. Without any of them there
//! are the types alone.
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
mod drift;
mod envelope;
mod error;
mod health;
mod message;
mod outcome;
mod random;
mod retry;
mod route;
mod topology;

#[cfg(feature = "store")]
mod batch;
#[cfg(any(feature = "store", feature = "rabbitmq"))]
mod broker;
#[cfg(any(feature = "store", feature = "rabbitmq"))]
mod clock;
#[cfg(any(feature = "store", feature = "rabbitmq"))]
mod consume;
#[cfg(any(feature = "store", feature = "rabbitmq"))]
mod delivery;
#[cfg(feature = "store")]
mod dispatcher;
#[cfg(feature = "store")]
pub mod events;
#[cfg(feature = "rabbitmq")]
mod ids;
#[cfg(feature = "store")]
mod publish;
#[cfg(any(feature = "store", feature = "rabbitmq"))]
mod queues;
#[cfg(any(feature = "testing", feature = "node"))]
pub mod testing;
#[cfg(not(feature = "store"))]
mod time;
#[cfg(any(feature = "store", feature = "rabbitmq"))]
mod verdict;

pub use config::{QueueConfig, Retention};
pub use drift::{Difference, Drift};
pub use envelope::{
    Body, Envelope, Headers, MAX_BODY, MAX_QUEUE_NAME, MAX_SHORT, Priority, TRACEPARENT, check_queue_name,
};
pub use error::{Error, PublishError};
pub use health::BrokerHealth;
pub use message::Message;
pub use outcome::{DeadReason, Outcome, UnknownReason};
pub use random::Random;
pub use retry::Retry;
pub use route::{Outgoing, Route};
pub use topology::{Binding, ExchangeKind, Match, Topology};

#[cfg(any(feature = "store", feature = "rabbitmq"))]
pub use broker::Broker;
#[cfg(feature = "rabbitmq")]
pub use broker::RabbitSettings;
#[cfg(any(feature = "store", feature = "rabbitmq"))]
pub use broker::broadcast::{Heard, Subscription};
#[cfg(any(feature = "store", feature = "rabbitmq"))]
pub use clock::Clock;
#[cfg(any(feature = "store", feature = "rabbitmq"))]
pub use consume::Consumer;
#[cfg(any(feature = "store", feature = "rabbitmq"))]
pub use delivery::{Ack, Delivery};
#[cfg(feature = "store")]
pub use dispatcher::{Dispatcher, DispatcherHealth};
#[cfg(feature = "store")]
pub use events::{Event, EventPage, Events};
#[cfg(feature = "store")]
pub use gatepost_storage::Timestamp;
#[cfg(feature = "store")]
pub use publish::{Outbox, Published};
#[cfg(any(feature = "store", feature = "rabbitmq"))]
pub use queues::{DeadLetter, QueueStatus, Queues, Swept, Waiting};
#[cfg(not(feature = "store"))]
pub use time::Timestamp;

/// The topic on which the store wakes consumers when something was published.
#[cfg(feature = "store")]
pub const TOPIC: &str = "outbox";
