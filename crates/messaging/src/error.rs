//! What can go wrong, in terms of what to do about it.

use std::sync::Arc;

/// What lies under a failure of a connection.
type Cause = Arc<dyn std::error::Error + Send + Sync>;

/// A failure to publish, to consume, or to look at a queue.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A name or value that no broker would take.
    #[error("the {what} can't be used: {why}")]
    Invalid {
        /// What.
        what: &'static str,
        /// Why.
        why: &'static str,
    },
    /// The body is larger than [`MAX_BODY`](crate::MAX_BODY).
    #[error("the body has {bytes} bytes, more than 16 MiB")]
    TooLarge {
        /// Its size.
        bytes: usize,
    },
    /// serde could not write the message.
    #[error("the message can't be written as JSON: {0}")]
    Encode(#[source] serde_json::Error),
    /// The database.
    #[cfg(feature = "store")]
    #[error(transparent)]
    Store(#[from] gatepost_storage::Error),
    /// The database, for several callers whose work shared one transaction.
    #[cfg(feature = "store")]
    #[error("{0}")]
    Shared(#[source] Arc<gatepost_storage::Error>),
    /// `.once` was given another store than the one the embedded broker is on: noting an id and being done
    /// with it would not be one transaction.
    #[error("`once` needs the store that the embedded broker is on")]
    OtherStore,
    /// There is no connection with the broker, or it did not answer in time.
    #[error("the broker can't be reached: {why}")]
    Unreachable {
        /// Why, without credentials.
        why: String,
        /// What lies under it.
        #[source]
        source: Option<Cause>,
    },
    /// The broker takes no messages at the moment: an alarm about its memory or its disk.
    #[error("the broker takes no messages at the moment: {why}")]
    Blocked {
        /// The broker's own words.
        why: String,
    },
    /// The broker refuses it: no such user, virtual host or right, or what was asked can't be.
    #[error("the broker refuses it: {why}")]
    Refused {
        /// The broker's own words.
        why: String,
        /// What lies under it.
        #[source]
        source: Option<Cause>,
    },
    /// There is no such exchange.
    #[error("there is no exchange {0}")]
    NoExchange(String),
    /// Something could not be published.
    #[error(transparent)]
    Publish(#[from] PublishError),
    /// Events after the number that was asked with are gone: they were kept no longer.
    #[error("events after that number have been swept: begin with the oldest that is kept")]
    Swept,
    /// What was to do this has been shut down.
    #[error("the consumer or outbox is closed")]
    Closed,
}

impl Error {
    /// Whether the same call may succeed later, with nothing changed by the caller.
    pub fn is_transient(&self) -> bool {
        match self {
            #[cfg(feature = "store")]
            Error::Store(error) => error.is_transient(),
            #[cfg(feature = "store")]
            Error::Shared(error) => error.is_transient(),
            Error::Unreachable { .. } | Error::Blocked { .. } => true,
            Error::Publish(error) => error.is_transient(),
            Error::Invalid { .. }
            | Error::TooLarge { .. }
            | Error::Encode(_)
            | Error::Refused { .. }
            | Error::NoExchange(_)
            | Error::OtherStore
            | Error::Swept
            | Error::Closed => false,
        }
    }
}

/// Why a message was not, or may not have been, published.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PublishError {
    /// It was not published: no queue gets what goes this way.
    #[error("no queue gets what goes this way")]
    Returned,
    /// It was not published: the broker would not take it (a queue that is full, or an error of its own).
    #[error("the broker would not take it")]
    Nacked,
    /// The broker was never asked to confirm it, so that nothing is known. A defect of this crate.
    #[error("the broker was not asked to confirm it")]
    NotRequested,
    /// It went out and was not confirmed in time, or the connection broke before: it may have arrived. To
    /// publish it again under the same id is safe where consumers skip the ids that they have handled.
    #[error("it may have been published or not: {0}")]
    Unknown(Arc<Error>),
    /// It never went out.
    #[error("it was not published: {0}")]
    NotSent(Arc<Error>),
    /// It can't be published, whatever the broker: a name, a header, or a value that serde can't write.
    #[error("it can't be published: {0}")]
    Invalid(Arc<Error>),
    /// The body is larger than [`MAX_BODY`](crate::MAX_BODY).
    #[error("the body has {bytes} bytes, more than 16 MiB")]
    TooLarge {
        /// Its size.
        bytes: usize,
    },
}

impl PublishError {
    /// Whether the same call may succeed later, with nothing changed by the caller.
    pub fn is_transient(&self) -> bool {
        match self {
            PublishError::Nacked | PublishError::Unknown(_) => true,
            PublishError::NotSent(error) => error.is_transient(),
            PublishError::Returned
            | PublishError::NotRequested
            | PublishError::Invalid(_)
            | PublishError::TooLarge { .. } => false,
        }
    }

    /// Whether the message may have reached a queue all the same.
    pub const fn may_have_arrived(&self) -> bool {
        matches!(self, PublishError::Unknown(_) | PublishError::NotRequested)
    }
}

/// Of what was found before anything was sent.
impl From<Error> for PublishError {
    fn from(error: Error) -> Self {
        match error {
            Error::Publish(error) => error,
            Error::TooLarge { bytes } => PublishError::TooLarge { bytes },
            Error::Invalid { .. } | Error::Encode(_) => PublishError::Invalid(Arc::new(error)),
            error => PublishError::NotSent(Arc::new(error)),
        }
    }
}
