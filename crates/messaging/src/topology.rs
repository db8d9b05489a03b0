//! Which exchanges and queues there are, and what flows where, as data.

use std::collections::{BTreeMap, BTreeSet};

use crate::envelope::check_queue_name;
use crate::{Error, Headers, QueueConfig};

/// How an exchange decides which queues get a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ExchangeKind {
    /// Those bound with exactly the message's key.
    Direct,
    /// Those whose pattern fits the key: words between dots, `*` for one word, `#` for any number.
    Topic,
    /// All of them.
    Fanout,
    /// Those whose headers fit the message's.
    Headers,
}

impl ExchangeKind {
    /// AMQP's word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::Topic => "topic",
            Self::Fanout => "fanout",
            Self::Headers => "headers",
        }
    }
}

/// How many of a binding's headers a message has to have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Match {
    /// Every one.
    All,
    /// One at least.
    Any,
}

/// One way from an exchange to a queue.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Binding {
    /// From.
    pub exchange: String,
    /// To.
    pub queue: String,
    /// The key or pattern; nothing for fanout and headers.
    pub key: String,
    /// The headers, for a headers exchange.
    pub headers: Option<(Match, BTreeMap<String, String>)>,
}

/// Exchanges, queues and how each is handled, and the bindings between them. A queue that is not in it has
/// the defaults of [`QueueConfig`].
///
/// ```
/// use std::time::Duration;
/// use gatepost_messaging::Topology;
///
/// let topology = Topology::new()
///     .topic("shop")
///     .queue("billing", |q| q.retries(&[Duration::from_secs(5), Duration::from_secs(120)]).max_starts(3))
///     .queue("audit", |q| q)
///     .bind("shop", "order.*", "billing")
///     .bind("shop", "#", "audit");
/// assert_eq!(topology.queues().collect::<Vec<_>>(), ["audit", "billing"]);
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Topology {
    queues: BTreeMap<String, QueueConfig>,
    exchanges: BTreeMap<String, ExchangeKind>,
    bindings: BTreeSet<Binding>,
}

impl Topology {
    /// Nothing.
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

    /// Adds an exchange. The later word counts where one is said twice.
    #[must_use]
    pub fn exchange(mut self, name: impl Into<String>, kind: ExchangeKind) -> Self {
        self.exchanges.insert(name.into(), kind);
        self
    }

    /// Adds an exchange that compares keys.
    #[must_use]
    pub fn direct(self, name: impl Into<String>) -> Self {
        self.exchange(name, ExchangeKind::Direct)
    }

    /// Adds an exchange that fits keys to patterns.
    #[must_use]
    pub fn topic(self, name: impl Into<String>) -> Self {
        self.exchange(name, ExchangeKind::Topic)
    }

    /// Adds an exchange that sends everything to everyone.
    #[must_use]
    pub fn fanout(self, name: impl Into<String>) -> Self {
        self.exchange(name, ExchangeKind::Fanout)
    }

    /// Adds an exchange that compares headers.
    #[must_use]
    pub fn headers(self, name: impl Into<String>) -> Self {
        self.exchange(name, ExchangeKind::Headers)
    }

    /// Binds a queue to an exchange by a key (direct), a pattern (topic), or nothing (`""`, fanout).
    #[must_use]
    pub fn bind(
        mut self,
        exchange: impl Into<String>,
        key: impl Into<String>,
        queue: impl Into<String>,
    ) -> Self {
        self.bindings.insert(Binding {
            exchange: exchange.into(),
            queue: queue.into(),
            key: key.into(),
            headers: None,
        });
        self
    }

    /// Binds a queue to a headers exchange. Names that begin with `x-` take no part in the comparison.
    #[must_use]
    pub fn bind_headers(
        mut self,
        exchange: impl Into<String>,
        headers: &[(&str, &str)],
        all_or_any: Match,
        queue: impl Into<String>,
    ) -> Self {
        let headers = headers
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        self.bindings.insert(Binding {
            exchange: exchange.into(),
            queue: queue.into(),
            key: String::new(),
            headers: Some((all_or_any, headers.collect())),
        });
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

    /// The exchanges.
    pub fn exchanges(&self) -> impl Iterator<Item = (&str, ExchangeKind)> {
        self.exchanges.iter().map(|(name, kind)| (name.as_str(), *kind))
    }

    /// The bindings.
    pub fn bindings(&self) -> impl Iterator<Item = &Binding> {
        self.bindings.iter()
    }

    /// The queues that get a message published to `exchange`, each once, as RabbitMQ would decide.
    ///
    /// # Errors
    /// [`Error::NoExchange`].
    pub fn route(&self, exchange: &str, key: &str, headers: &Headers) -> Result<Vec<String>, Error> {
        let kind = self
            .exchanges
            .get(exchange)
            .ok_or_else(|| Error::NoExchange(exchange.to_owned()))?;
        let fits = |binding: &Binding| match kind {
            ExchangeKind::Direct => binding.key == key,
            ExchangeKind::Topic => topic_fits(&binding.key, key),
            ExchangeKind::Fanout => true,
            ExchangeKind::Headers => headers_fit(binding, headers),
        };
        let mut queues: Vec<String> = self
            .bindings
            .iter()
            .filter(|binding| binding.exchange == exchange && fits(binding))
            .map(|binding| binding.queue.clone())
            .collect();
        queues.sort_unstable();
        queues.dedup();
        Ok(queues)
    }

    /// Takes over what `other` has; its word counts where both have a queue or an exchange.
    pub fn merge(&mut self, other: &Topology) {
        self.queues.extend(
            other
                .queues
                .iter()
                .map(|(name, config)| (name.clone(), config.clone())),
        );
        self.exchanges
            .extend(other.exchanges.iter().map(|(name, kind)| (name.clone(), *kind)));
        self.bindings.extend(other.bindings.iter().cloned());
    }

    /// Checks what every broker demands.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a name that no broker takes, or a binding between what is not there.
    pub fn check(&self) -> Result<(), Error> {
        for queue in self.queues() {
            check_queue_name(queue)?;
        }
        let invalid = |what, why| Err(Error::Invalid { what, why });
        for (exchange, _) in self.exchanges() {
            if exchange.is_empty() || exchange.len() > crate::MAX_SHORT || exchange.starts_with("amq.") {
                return invalid(
                    "exchange name",
                    "it has to be 1 to 255 bytes long and not to begin with amq.",
                );
            }
            if exchange.chars().any(char::is_control) {
                return invalid("exchange name", "it holds a control character");
            }
        }
        for binding in &self.bindings {
            check_queue_name(&binding.queue)?;
            if binding.key.len() > crate::MAX_SHORT {
                return invalid("binding key", "it is longer than 255 bytes");
            }
            let Some(kind) = self.exchanges.get(&binding.exchange) else {
                return invalid("binding", "its exchange is not part of the topology");
            };
            if (*kind == ExchangeKind::Headers) != binding.headers.is_some() {
                return invalid(
                    "binding",
                    "headers are for a headers exchange, and a headers exchange needs them",
                );
            }
        }
        Ok(())
    }
}

/// Whether a key fits a pattern: words between dots, `*` for exactly one, `#` for any number.
fn topic_fits(pattern: &str, key: &str) -> bool {
    // Which prefixes of the pattern fit what was read of the key.
    let pattern: Vec<&str> = pattern.split('.').collect();
    let words: Vec<&str> = if key.is_empty() {
        Vec::new()
    } else {
        key.split('.').collect()
    };
    let mut fits = vec![false; pattern.len() + 1];
    fits[0] = true;
    let through_hashes = |fits: &mut Vec<bool>| {
        for (nth, word) in pattern.iter().enumerate() {
            if *word == "#" && fits[nth] {
                fits[nth + 1] = true;
            }
        }
    };
    through_hashes(&mut fits);
    for word in words {
        let mut next = vec![false; fits.len()];
        for (nth, expected) in pattern.iter().enumerate() {
            if fits[nth] && (*expected == "*" || *expected == word) {
                next[nth + 1] = true;
            }
            if *expected == "#" && fits[nth + 1] {
                next[nth + 1] = true;
            }
        }
        through_hashes(&mut next);
        fits = next;
    }
    // An empty pattern is one empty word; it fits the empty key.
    fits[pattern.len()] || (key.is_empty() && pattern == [""])
}

fn headers_fit(binding: &Binding, headers: &Headers) -> bool {
    let Some((how, wanted)) = &binding.headers else {
        return false;
    };
    let mut compared = wanted.iter().filter(|(name, _)| !name.starts_with("x-"));
    let has = |(name, value): (&String, &String)| headers.get(name) == Some(value);
    match how {
        Match::All => compared.all(has),
        Match::Any => compared.any(has),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_topic_fits_by_words() {
        for (pattern, key, fits) in [
            ("order.*", "order.paid", true),
            ("order.*", "order", false),
            ("order.*", "order.paid.late", false),
            ("order.#", "order", true),
            ("order.#", "order.paid.late", true),
            ("#", "", true),
            ("#", "anything.at.all", true),
            ("*.paid", "order.paid", true),
            ("#.paid", "paid", true),
            ("#.paid", "a.b.paid", true),
            ("#.paid.#", "a.paid.b.c", true),
            ("a.*.#.d", "a.d", false),
            ("a.*.#.d", "a.b.d", true),
            ("", "", true),
            ("", "a", false),
            ("order", "order.", false),
        ] {
            assert_eq!(topic_fits(pattern, key), fits, "{pattern} {key}");
        }
    }

    #[test]
    fn each_kind_of_exchange_decides_its_way() {
        let topology = Topology::new()
            .direct("d")
            .fanout("f")
            .headers("h")
            .queue("one", |q| q)
            .queue("two", |q| q)
            .bind("d", "k", "one")
            .bind("f", "", "one")
            .bind("f", "", "two")
            .bind_headers("h", &[("a", "1"), ("b", "2"), ("x-no", "0")], Match::All, "one")
            .bind_headers("h", &[("a", "1"), ("b", "2")], Match::Any, "two");
        topology.check().expect("is fine");
        let headers = |pairs: &[(&str, &str)]| -> Headers {
            pairs
                .iter()
                .map(|(n, v)| ((*n).to_owned(), (*v).to_owned()))
                .collect()
        };
        let route = |exchange, key, pairs| topology.route(exchange, key, &headers(pairs)).expect("is there");
        assert_eq!(route("d", "k", &[]), ["one"]);
        assert!(route("d", "other", &[]).is_empty());
        assert_eq!(route("f", "whatever", &[]), ["one", "two"]);
        assert_eq!(route("h", "", &[("a", "1"), ("b", "2")]), ["one", "two"]);
        assert_eq!(route("h", "", &[("a", "1")]), ["two"]);
        assert!(topology.route("none", "k", &Headers::new()).is_err());
    }

    #[test]
    fn a_binding_needs_its_exchange() {
        let check = |topology: Topology| topology.check().is_ok();
        assert!(!check(Topology::new().bind("none", "k", "q")));
        assert!(!check(Topology::new().headers("h").bind("h", "k", "q")));
        assert!(!check(Topology::new().direct("amq.direct")));
    }
}
