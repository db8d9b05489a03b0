//! Which queues there are, as data.

use std::collections::BTreeMap;

use crate::QueueConfig;

/// Queues and how each is handled. A queue that is not in it has the defaults of [`QueueConfig`].
///
/// ```
/// use std::time::Duration;
/// use gatepost_messaging::Topology;
///
/// let topology = Topology::new()
///     .queue("billing", |q| q.retries(&[Duration::from_secs(5), Duration::from_secs(120)]).max_starts(3))
///     .queue("audit", |q| q);
/// assert_eq!(topology.queues().collect::<Vec<_>>(), ["audit", "billing"]);
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Topology {
    queues: BTreeMap<String, QueueConfig>,
}

impl Topology {
    /// No queue.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a queue, or changes it if it is there.
    #[must_use]
    pub fn queue(mut self, name: impl Into<String>, set: impl FnOnce(QueueConfig) -> QueueConfig) -> Self {
        let name = name.into();
        let config = self.queues.remove(&name).unwrap_or_default();
        self.queues.insert(name, set(config));
        self
    }

    /// How a queue is handled.
    pub fn config(&self, queue: &str) -> QueueConfig {
        self.queues.get(queue).cloned().unwrap_or_default()
    }

    /// The names of the queues.
    pub fn queues(&self) -> impl Iterator<Item = &str> {
        self.queues.keys().map(String::as_str)
    }

    /// Takes over what `other` has; its word counts where both have a queue.
    pub fn merge(&mut self, other: &Topology) {
        self.queues.extend(
            other
                .queues
                .iter()
                .map(|(name, config)| (name.clone(), config.clone())),
        );
    }
}
