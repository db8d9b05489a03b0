//! What queues look like on RabbitMQ: the queue itself, its dead letters, and a queue for each delay of its
//! retries, from which messages flow back by themselves.

use std::collections::BTreeMap;
use std::time::Duration;

use lapin::types::{AMQPValue, FieldTable};

use super::ladder;
use super::lane::short;
use crate::QueueConfig;
use crate::config::QueueKind;

/// Deliveries after which a quorum queue gives a message up. Far above our own count of starts, so that ours
/// decides; RabbitMQ 4 would take 20, which a few restarts with a full hand use up.
const DELIVERY_LIMIT: i64 = 100;
const LIMIT: &str = "x-delivery-limit";
/// The same where a delivery is no try: to look at a dead letter is to have it delivered. More than anybody will
/// ever look; "no limit" (-1) makes RabbitMQ 3.10 drop a message at its first return.
const LOOKS: i64 = 1_000_000;
/// After which a suspect that nobody has taken flows back. Longer than any handler may take, as what a dead
/// process had in hand flows back uncounted if this is over by then.
const SUSPECTS_FLOW_BACK: Duration = Duration::from_secs(45 * 60);

/// A queue as we declare it. Always durable.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Shape {
    pub(crate) name: String,
    pub(crate) arguments: BTreeMap<&'static str, Argument>,
}

/// An argument's value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Argument {
    Text(String),
    Number(i64),
}

impl Argument {
    pub(super) fn to_text(&self) -> String {
        match self {
            Argument::Text(text) => text.clone(),
            Argument::Number(number) => number.to_string(),
        }
    }
}

impl Shape {
    fn new(name: impl Into<String>, arguments: &[(&'static str, Argument)]) -> Self {
        Self {
            name: name.into(),
            arguments: arguments.iter().cloned().collect(),
        }
    }

    pub(super) fn table(&self) -> FieldTable {
        let mut table = FieldTable::default();
        for (name, value) in &self.arguments {
            let value = match value {
                Argument::Text(text) => AMQPValue::LongString(text.as_str().into()),
                Argument::Number(number) => AMQPValue::LongLongInt(*number),
            };
            table.insert(short(*name), value);
        }
        table
    }
}

/// Where a queue's dead letters lie.
pub(crate) fn dead_name(queue: &str) -> String {
    format!("{queue}.dead")
}

/// Where those of a queue's messages wait whose process has died.
pub(crate) fn suspects_name(queue: &str) -> String {
    format!("{queue}.suspect")
}

/// Where a queue's messages wait for `delay`: `billing.retry.5s`, `.2m`, `.6h`, `.250ms`.
pub(crate) fn rung_name(queue: &str, delay: Duration) -> String {
    let millis = delay.as_millis();
    let (number, unit) = match millis {
        _ if millis == 0 || !millis.is_multiple_of(1000) => (millis, "ms"),
        _ if !millis.is_multiple_of(60_000) => (millis / 1000, "s"),
        _ if !millis.is_multiple_of(3_600_000) => (millis / 60_000, "m"),
        _ => (millis / 3_600_000, "h"),
    };
    format!("{queue}.retry.{number}{unit}")
}

/// Everything that belongs to a queue: itself, its dead letters, its delays.
pub(crate) fn of(queue: &str, config: &QueueConfig) -> Vec<Shape> {
    let mut shapes = vec![main(queue, config), dead(queue), suspects(queue)];
    shapes.extend(rungs(queue, config).into_iter().map(|(_, shape)| shape));
    shapes
}

/// The queue itself.
pub(crate) fn main(queue: &str, config: &QueueConfig) -> Shape {
    let mut shape = match config.kind {
        QueueKind::Plain => Shape::new(queue, &[]),
        QueueKind::Classic => Shape::new(queue, &[kind("classic")]),
        QueueKind::Quorum => Shape::new(
            queue,
            &[kind("quorum"), (LIMIT, Argument::Number(DELIVERY_LIMIT))],
        ),
    };
    if config.dead_letters || config.kind == QueueKind::Quorum {
        shape.arguments.extend(dead_lettering(&dead_name(queue)));
        if config.kind == QueueKind::Quorum {
            shape.arguments.extend(at_least_once());
        }
    }
    shape
}

/// Its dead letters, which nobody consumes.
pub(crate) fn dead(queue: &str) -> Shape {
    Shape::new(
        dead_name(queue),
        &[kind("quorum"), (LIMIT, Argument::Number(LOOKS))],
    )
}

/// Its delays, and the one that any handler may ask for. Each has a queue: a message's own time to live would let a
/// long one hold up a short one behind it.
pub(crate) fn rungs(queue: &str, config: &QueueConfig) -> Vec<(Duration, Shape)> {
    let mut delays: Vec<Duration> = config
        .retry
        .delays()
        .iter()
        .map(|delay| Duration::from_millis(u64::try_from(delay.as_millis()).unwrap_or(u64::MAX)))
        .chain([ladder::FIRST])
        .collect();
    delays.sort_unstable();
    delays.dedup();
    delays
        .into_iter()
        .map(|delay| (delay, rung(queue, delay)))
        .collect()
}

/// One of its delays.
pub(crate) fn rung(queue: &str, delay: Duration) -> Shape {
    flowing_back(queue, rung_name(queue, delay), delay)
}

/// Its suspects. What nobody takes from there flows back in the end, as what waits for its next try does.
pub(crate) fn suspects(queue: &str) -> Shape {
    let mut shape = flowing_back(queue, suspects_name(queue), SUSPECTS_FLOW_BACK);
    shape.arguments.insert(LIMIT, Argument::Number(LOOKS));
    shape
}

fn flowing_back(queue: &str, name: String, after: Duration) -> Shape {
    let millis = i64::try_from(after.as_millis()).unwrap_or(i64::MAX);
    let mut shape = Shape::new(
        name,
        &[kind("quorum"), ("x-message-ttl", Argument::Number(millis))],
    );
    shape.arguments.extend(dead_lettering(queue));
    shape.arguments.extend(at_least_once());
    shape
}

fn kind(kind: &str) -> (&'static str, Argument) {
    ("x-queue-type", Argument::Text(kind.to_owned()))
}

/// What is given up goes straight to that queue.
fn dead_lettering(queue: &str) -> [(&'static str, Argument); 2] {
    [
        ("x-dead-letter-exchange", Argument::Text(String::new())),
        ("x-dead-letter-routing-key", Argument::Text(queue.to_owned())),
    ]
}

/// Quorum queues can make sure that what is given up arrives where it goes, if a full queue refuses messages.
fn at_least_once() -> [(&'static str, Argument); 2] {
    [
        ("x-dead-letter-strategy", Argument::Text("at-least-once".into())),
        ("x-overflow", Argument::Text("reject-publish".into())),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_have_names_that_people_read() {
        for (millis, name) in [
            (250, "q.retry.250ms"),
            (1500, "q.retry.1500ms"),
            (5000, "q.retry.5s"),
            (90_000, "q.retry.90s"),
            (120_000, "q.retry.2m"),
            (21_600_000, "q.retry.6h"),
        ] {
            assert_eq!(rung_name("q", Duration::from_millis(millis)), name);
        }
    }

    #[test]
    fn a_plain_queue_has_no_argument_of_ours() {
        let shapes = of("email_queue", &QueueConfig::default().plain());
        assert_eq!(shapes[0], Shape::new("email_queue", &[]));
        assert_eq!(shapes[1].name, "email_queue.dead");
        assert_eq!(shapes.len(), 4 + QueueConfig::default().retry.delays().len());
    }

    #[test]
    fn nothing_is_ever_dropped_by_a_quorum_queue_of_ours() {
        for shape in of("billing", &QueueConfig::default()) {
            if shape.name == dead_name("billing") {
                continue;
            }
            let argument = |name| shape.arguments.get(name).map(Argument::to_text);
            assert_eq!(
                argument("x-dead-letter-strategy").as_deref(),
                Some("at-least-once")
            );
            assert!(argument("x-dead-letter-routing-key").is_some(), "{}", shape.name);
        }
    }
}
