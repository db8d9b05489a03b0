//! Where a message goes that is published straight to a broker.

use std::fmt;

use crate::envelope::check_queue_name;
use crate::{Envelope, Error, MAX_SHORT, Timestamp};

/// Where a message goes: to a queue, or to an exchange that decides by the key.
///
/// ```
/// use gatepost_messaging::Route;
///
/// let bill = Route::queue("billing"); // an error if the queue is not there
/// let tell = Route::exchange("shop", "order.paid").optional(); // nobody listening is fine
/// # let _ = (bill, tell);
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Route {
    pub(crate) exchange: String,
    pub(crate) key: String,
    pub(crate) optional: bool,
}

impl Route {
    /// Straight to a queue.
    pub fn queue(name: impl Into<String>) -> Self {
        Self {
            exchange: String::new(),
            key: name.into(),
            optional: false,
        }
    }

    /// To an exchange, with a key.
    pub fn exchange(exchange: impl Into<String>, key: impl Into<String>) -> Self {
        Self {
            exchange: exchange.into(),
            key: key.into(),
            optional: false,
        }
    }

    /// That nobody gets it is no error: for events and broadcasts.
    #[must_use]
    pub fn optional(mut self) -> Self {
        self.optional = true;
        self
    }

    /// The queue, if it is one's.
    pub fn to_queue(&self) -> Option<&str> {
        self.exchange.is_empty().then_some(self.key.as_str())
    }

    /// Checks the names.
    ///
    /// # Errors
    /// [`Error::Invalid`].
    pub fn check(&self) -> Result<(), Error> {
        if self.exchange.is_empty() {
            return check_queue_name(&self.key);
        }
        let invalid = |what, why| Err(Error::Invalid { what, why });
        if self.exchange.len() > MAX_SHORT || self.key.len() > MAX_SHORT {
            return invalid("route", "exchange and key are at most 255 bytes long");
        }
        if self.exchange.contains('\0') || self.key.contains('\0') {
            return invalid("route", "it holds a NUL");
        }
        Ok(())
    }
}

impl fmt::Display for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.to_queue() {
            Some(queue) => write!(f, "queue {queue}"),
            None => write!(f, "exchange {} with key {}", self.exchange, self.key),
        }
    }
}

/// A message of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Outgoing {
    /// Where it goes.
    pub route: Route,
    /// What it is. Its `queue` is not looked at: the route decides.
    pub envelope: Envelope,
    /// How many tries counted before it went this way: none, unless it was on another broker before.
    pub attempts: u32,
    /// When it was published first. `None`: now.
    pub enqueued_at: Option<Timestamp>,
    /// When it goes this way once more, its end being another than to be over: by this a consumer tells it from another
    /// delivery of the message that it has acknowledged. `None`: it never went.
    pub again_at: Option<Timestamp>,
}

impl Outgoing {
    /// A message that nobody has tried yet.
    pub fn new(route: Route, envelope: Envelope) -> Self {
        Self {
            route,
            envelope,
            attempts: 0,
            enqueued_at: None,
            again_at: None,
        }
    }

    /// Sets how many tries counted before.
    #[must_use]
    pub fn attempts(mut self, attempts: u32) -> Self {
        self.attempts = attempts;
        self
    }

    /// Sets when it was published first.
    #[must_use]
    pub fn enqueued_at(mut self, at: Timestamp) -> Self {
        self.enqueued_at = Some(at);
        self
    }

    /// Sets when it goes once more.
    #[must_use]
    pub fn again_at(mut self, at: Timestamp) -> Self {
        self.again_at = Some(at);
        self
    }
}
