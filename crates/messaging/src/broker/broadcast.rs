//! Broadcasts: short words to every instance, best effort. What matters stands in a table; a broadcast says it
//! sooner.

#[cfg(feature = "rabbitmq")]
use std::sync::Arc;

#[cfg(feature = "store")]
use gatepost_storage::{Cast, Casts};
#[cfg(feature = "rabbitmq")]
use tokio::sync::broadcast;

use super::{Broker, Kind};
use crate::Error;

/// What a subscription hears.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// Somebody said this.
    Said {
        /// What it is about.
        topic: String,
        /// What was said.
        body: Vec<u8>,
    },
    /// Something may have been said that was not heard: the connection was gone, this was too slow, or, on the
    /// embedded broker, it was too long or another process wrote to the SQLite file. Look into the table.
    Missed,
}

/// Hears what any instance broadcasts; made by [`Broker::subscribe`].
#[derive(Debug)]
pub struct Subscription {
    prefix: String,
    source: Source,
}

#[derive(Debug)]
enum Source {
    #[cfg(feature = "store")]
    Store(Casts),
    #[cfg(feature = "rabbitmq")]
    Rabbit {
        receiver: broadcast::Receiver<Heard>,
        _keep: Arc<super::rabbitmq::Fanout>,
    },
}

impl Subscription {
    /// The next word on a topic that was asked for, or that something may have been missed.
    pub async fn next(&mut self) -> Heard {
        loop {
            let heard = self.source.next().await;
            match &heard {
                Heard::Said { topic, .. } if !topic.starts_with(&self.prefix) => {}
                _ => return heard,
            }
        }
    }
}

impl Source {
    async fn next(&mut self) -> Heard {
        match self {
            #[cfg(feature = "store")]
            Self::Store(casts) => match casts.next().await {
                Cast::Said { topic, body } => Heard::Said {
                    topic: topic.to_string(),
                    body: body.to_vec(),
                },
                Cast::Missed => Heard::Missed,
            },
            #[cfg(feature = "rabbitmq")]
            Self::Rabbit { receiver, .. } => match receiver.recv().await {
                Ok(heard) => heard,
                Err(broadcast::error::RecvError::Lagged(_)) => Heard::Missed,
                // What sends is kept by this very value.
                Err(broadcast::error::RecvError::Closed) => std::future::pending().await,
            },
        }
    }
}

impl Broker {
    /// Says something to every instance, this one included, best effort: it may be lost, and nobody listening is
    /// normal. Whoever can't afford to miss it looks into a table as well.
    ///
    /// With the embedded broker it reaches other processes on PostgreSQL if it is shorter than about 7 KiB; what is
    /// longer, and on SQLite whatever is said, reaches them as [`Heard::Missed`]. On RabbitMQ it goes to the fanout
    /// exchange `gatepost.broadcast`.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a topic that is empty, longer than 255 bytes, or has spaces in it;
    /// [`Error::Publish`] if RabbitMQ did not take it.
    pub async fn broadcast(&self, topic: &str, payload: impl Into<Vec<u8>> + Send) -> Result<(), Error> {
        check(topic)?;
        let payload = payload.into();
        match &self.kind {
            #[cfg(feature = "store")]
            Kind::Embedded(embedded) => {
                embedded.store().cast(topic, &payload);
                Ok(())
            }
            #[cfg(feature = "rabbitmq")]
            Kind::Rabbit(rabbit) => Ok(rabbit.broadcast(topic, payload).await?),
        }
    }

    /// Hears what any instance says from now on about topics that begin with `prefix` (`""`: all). Has to be called
    /// within a tokio runtime.
    pub fn subscribe(&self, prefix: impl Into<String>) -> Subscription {
        let source = match &self.kind {
            #[cfg(feature = "store")]
            Kind::Embedded(embedded) => Source::Store(embedded.store().casts()),
            #[cfg(feature = "rabbitmq")]
            Kind::Rabbit(rabbit) => {
                let (receiver, keep) = rabbit.listen();
                Source::Rabbit {
                    receiver,
                    _keep: keep,
                }
            }
        };
        Subscription {
            prefix: prefix.into(),
            source,
        }
    }
}

fn check(topic: &str) -> Result<(), Error> {
    let fine = !topic.is_empty()
        && topic.len() <= crate::MAX_SHORT
        && !topic.chars().any(|c| c.is_whitespace() || c.is_control());
    if fine {
        return Ok(());
    }
    Err(Error::Invalid {
        what: "broadcast's topic",
        why: "it has to have 1 to 255 bytes and no spaces",
    })
}
