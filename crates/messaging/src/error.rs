//! What can go wrong, in terms of what to do about it.

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
    Shared(#[source] std::sync::Arc<gatepost_storage::Error>),
    /// `.once` was given another store than the one the embedded broker is on: noting an id and being done
    /// with it would not be one transaction.
    #[error("`once` needs the store that the embedded broker is on")]
    OtherStore,
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
            Error::Invalid { .. }
            | Error::TooLarge { .. }
            | Error::Encode(_)
            | Error::OtherStore
            | Error::Closed => false,
        }
    }
}
