//! What of a message is where in AMQP: the one place that knows.
//!
//! The body is the body, as other programs expect it; everything of ours is in properties and headers.

use std::collections::BTreeMap;

use lapin::BasicProperties;
use lapin::types::{AMQPValue, FieldTable, ShortString};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::lane::short;
use crate::ids::new_id;
use crate::{Body, Envelope, Error, Headers, Priority, Timestamp};

/// Headers of ours.
pub(crate) mod header {
    /// When it was published, in microseconds since 1970; the property `timestamp` has seconds only. Left out where
    /// there is no other header and the id tells it to the millisecond.
    pub(crate) const ENQUEUED_AT: &str = "x-enqueued-at";
    /// When it is worth nothing any more, in microseconds since 1970.
    pub(crate) const EXPIRES_AT: &str = "x-expires-at";
    /// How many tries counted so far.
    pub(crate) const ATTEMPT: &str = "x-attempt";
    /// The key against saying it twice.
    pub(crate) const DEDUPE_KEY: &str = "x-dedupe-key";
    /// How often a quorum queue delivered it before; set by the broker.
    pub(crate) const DELIVERY_COUNT: &str = "x-delivery-count";
}

/// All headers together at most, in bytes: AMQP's header frame is not split, and the broker's frames are 128 KiB
/// by default.
const MAX_HEADERS: usize = 64 * 1024;

/// On disk with a durable queue.
const PERSISTENT: u8 = 2;

/// A message as it came from RabbitMQ, also one that somebody else published.
#[derive(Debug)]
pub(crate) struct Received {
    pub(crate) id: Uuid,
    /// It had no id, so it was given one: another delivery of it gets another.
    pub(crate) fresh: bool,
    pub(crate) kind: String,
    /// Without ours and without the broker's own notes (`x-death` and its like).
    pub(crate) headers: Headers,
    pub(crate) body: Body,
    pub(crate) priority: Priority,
    /// Counted tries so far.
    pub(crate) attempts: u32,
    pub(crate) enqueued_at: Timestamp,
    pub(crate) expires_at: Option<Timestamp>,
}

/// Checks what AMQP demands beyond [`Envelope::check`].
pub(crate) fn check(envelope: &Envelope) -> Result<(), Error> {
    let invalid = |what, why| Err(Error::Invalid { what, why });
    let bytes: usize = envelope
        .headers
        .iter()
        .map(|(name, value)| name.len() + value.len() + 8)
        .sum();
    if bytes > MAX_HEADERS {
        return invalid("headers", "they have more than 64 KiB together");
    }
    Ok(())
}

/// The properties of a message. `extra` are headers of ours beside those of the envelope, for copies: the count
/// of tries, the reason of a death.
pub(crate) fn write(
    envelope: &Envelope,
    id: Uuid,
    enqueued_at: Timestamp,
    extra: &[(&str, AMQPValue)],
) -> BasicProperties {
    let mut headers = FieldTable::default();
    for (name, value) in &envelope.headers {
        headers.insert(short(name), AMQPValue::LongString(value.as_str().into()));
    }
    let micros = |at: Timestamp| AMQPValue::LongLongInt(at.as_micros());
    if let Some(expires_at) = envelope.expires_at {
        headers.insert(header::EXPIRES_AT.into(), micros(expires_at));
    }
    if let Some(key) = &envelope.dedupe_key {
        let key = AMQPValue::LongString(key.as_str().into());
        headers.insert(header::DEDUPE_KEY.into(), key);
    }
    for (name, value) in extra {
        headers.insert(short(*name), value.clone());
    }
    // For this alone there is no table, which client and broker would have to write, read and keep, where the id
    // tells the same to the millisecond.
    let told = moment_of(id).is_some_and(|at| at.as_micros() == enqueued_at.as_micros() / 1000 * 1000);
    if !told || !headers.inner().is_empty() {
        headers.insert(header::ENQUEUED_AT.into(), micros(enqueued_at));
    }
    let properties = BasicProperties::default()
        .with_message_id(short(id.to_string()))
        .with_type(short(&envelope.kind))
        .with_content_type(short(&envelope.body.content_type))
        .with_timestamp(u64::try_from(enqueued_at.as_secs()).unwrap_or(0))
        .with_delivery_mode(PERSISTENT)
        .with_priority(envelope.priority.level());
    if headers.inner().is_empty() {
        properties
    } else {
        properties.with_headers(headers)
    }
}

/// When an id was made, to the millisecond, if it tells.
fn moment_of(id: Uuid) -> Option<Timestamp> {
    if id.get_version_num() != 7 {
        return None;
    }
    let millis = id.as_u128() >> 80;
    Some(Timestamp::from_micros(
        i64::try_from(millis).ok()?.checked_mul(1000)?,
    ))
}

/// Reads what came; `now` stands in for the hour that a foreign message does not tell.
pub(crate) fn read(properties: &BasicProperties, body: Vec<u8>, now: Timestamp) -> Received {
    let none = FieldTable::default();
    let table = properties.headers().as_ref().unwrap_or(&none).inner();
    let id = properties
        .message_id()
        .as_ref()
        .map(|id| id_of(id.as_str()))
        .filter(|id| !id.is_nil());
    let seconds = properties
        .timestamp()
        .and_then(|seconds| i64::try_from(seconds).ok())
        .map(Timestamp::from_secs);
    // Finer than the seconds, if it was made in the same.
    let made = id.and_then(moment_of).filter(|made| {
        let second = properties.timestamp().and_then(|at| i64::try_from(at).ok());
        second.is_some_and(|second| made.as_secs() == second)
    });
    let moment = |name| number(table, name).map(Timestamp::from_micros);
    let count = |name| number(table, name).map(|n| u32::try_from(n.max(0)).unwrap_or(u32::MAX));
    let text = |value: &Option<ShortString>| value.as_ref().map(ToString::to_string).unwrap_or_default();
    Received {
        id: id.unwrap_or_else(|| new_id(now)),
        fresh: id.is_none(),
        kind: text(properties.kind()),
        headers: table
            .iter()
            .filter(|(name, _)| !is_ours(name.as_str()))
            .filter_map(|(name, value)| Some((name.to_string(), plain(value)?)))
            .collect(),
        body: Body::bytes(text(properties.content_type()), body),
        // AMQP's go higher than ours.
        priority: properties.priority().map_or(Priority::NORMAL, |level| {
            Priority::new(level.min(9)).unwrap_or_default()
        }),
        attempts: count(header::ATTEMPT).unwrap_or(0),
        enqueued_at: moment(header::ENQUEUED_AT).or(made).or(seconds).unwrap_or(now),
        expires_at: moment(header::EXPIRES_AT),
    }
}

/// The id that somebody gave: a UUID, or one that is made of what is none, the same for every delivery. Nil for
/// an empty one.
pub(crate) fn id_of(text: &str) -> Uuid {
    if text.is_empty() {
        return Uuid::nil();
    }
    Uuid::try_parse(text).unwrap_or_else(|_| id_of_bytes(text.as_bytes()))
}

/// An id made of anything.
pub(crate) fn id_of_bytes(any: &[u8]) -> Uuid {
    let digest = Sha256::digest(any);
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest[..16]);
    uuid::Builder::from_custom_bytes(bytes).into_uuid()
}

/// Ours, and what the broker notes about dead-lettering, which must not travel on with a copy: the broker drops
/// what it takes for a cycle.
fn is_ours(name: &str) -> bool {
    matches!(
        name,
        header::ENQUEUED_AT
            | header::EXPIRES_AT
            | header::ATTEMPT
            | header::DEDUPE_KEY
            | header::DELIVERY_COUNT
            | "x-death"
            | "x-acquired-count"
    ) || super::copy::is_ours(name)
        || name.starts_with("x-first-death-")
        || name.starts_with("x-last-death-")
}

/// A whole number, of whatever width.
pub(crate) fn number(table: &BTreeMap<ShortString, AMQPValue>, name: &str) -> Option<i64> {
    match table.get(name)? {
        AMQPValue::ShortShortInt(n) => Some(i64::from(*n)),
        AMQPValue::ShortShortUInt(n) => Some(i64::from(*n)),
        AMQPValue::ShortInt(n) => Some(i64::from(*n)),
        AMQPValue::ShortUInt(n) => Some(i64::from(*n)),
        AMQPValue::LongInt(n) => Some(i64::from(*n)),
        AMQPValue::LongUInt(n) => Some(i64::from(*n)),
        AMQPValue::LongLongInt(n) => Some(*n),
        AMQPValue::Timestamp(n) => i64::try_from(*n).ok(),
        _ => None,
    }
}

/// A header's value as text; tables, arrays and bytes have none.
pub(crate) fn plain(value: &AMQPValue) -> Option<String> {
    match value {
        AMQPValue::Boolean(b) => Some(b.to_string()),
        AMQPValue::ShortShortInt(n) => Some(n.to_string()),
        AMQPValue::ShortShortUInt(n) => Some(n.to_string()),
        AMQPValue::ShortInt(n) => Some(n.to_string()),
        AMQPValue::ShortUInt(n) => Some(n.to_string()),
        AMQPValue::LongInt(n) => Some(n.to_string()),
        AMQPValue::LongUInt(n) => Some(n.to_string()),
        AMQPValue::LongLongInt(n) => Some(n.to_string()),
        AMQPValue::Float(n) => Some(n.to_string()),
        AMQPValue::Double(n) => Some(n.to_string()),
        AMQPValue::Timestamp(n) => Some(n.to_string()),
        AMQPValue::ShortString(text) => Some(text.to_string()),
        AMQPValue::LongString(text) => Some(String::from_utf8_lossy(text.as_bytes()).into_owned()),
        AMQPValue::DecimalValue(_)
        | AMQPValue::FieldArray(_)
        | AMQPValue::FieldTable(_)
        | AMQPValue::ByteArray(_)
        | AMQPValue::Void => None,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);

    #[test]
    fn a_message_comes_as_it_went() {
        let envelope = Envelope::bytes("q", "order.paid", "text/plain", b"hi".to_vec())
            .header("x-locale", "ru")
            .trace("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
            .priority(Priority::URGENT)
            .expires_at(NOW + Duration::from_micros(7))
            .dedupe_key("k");
        let id = new_id(NOW);
        let enqueued_at = NOW - Duration::from_micros(3);
        let attempt = (header::ATTEMPT, AMQPValue::LongLongInt(4));
        let read = read(
            &write(&envelope, id, enqueued_at, &[attempt]),
            b"hi".to_vec(),
            NOW,
        );
        assert_eq!((read.id, read.fresh), (id, false));
        assert_eq!(read.kind, "order.paid");
        assert_eq!(read.headers, envelope.headers);
        assert_eq!(read.body, envelope.body);
        assert_eq!((read.priority, read.attempts), (Priority::URGENT, 4));
        assert_eq!(
            (read.enqueued_at, read.expires_at),
            (enqueued_at, envelope.expires_at)
        );
    }

    #[test]
    fn an_id_that_tells_when_spares_the_header() {
        let envelope = Envelope::bytes("q", "k", "text/plain", b"hi".to_vec());
        let at = NOW + Duration::from_micros(123_456);
        let written = write(&envelope, new_id(at), at, &[]);
        assert!(written.headers().is_none());
        let read = read(&written, Vec::new(), NOW + Duration::from_secs(60));
        assert_eq!(read.enqueued_at, NOW + Duration::from_millis(123));
        // One that was made at another time, and one that tells nothing.
        for id in [new_id(at - Duration::from_millis(1)), id_of("letter-17")] {
            let read = super::read(&write(&envelope, id, at, &[]), Vec::new(), NOW);
            assert_eq!(read.enqueued_at, at);
        }
    }

    #[test]
    fn a_bare_message_of_somebody_else_is_a_message_too() {
        let read = read(&BasicProperties::default(), b"{}".to_vec(), NOW);
        assert!(read.fresh);
        assert_eq!(
            (read.kind.as_str(), read.attempts, read.priority),
            ("", 0, Priority::NORMAL)
        );
        assert_eq!((read.enqueued_at, read.expires_at), (NOW, None));
        let strange = BasicProperties::default()
            .with_message_id("letter-17".into())
            .with_priority(200);
        let read = super::read(&strange, Vec::new(), NOW);
        assert_eq!(
            (read.fresh, read.id),
            (false, id_of("letter-17")),
            "the same every time"
        );
        assert_eq!(read.id.get_version_num(), 8);
        assert_eq!(read.priority.level(), 9);
    }

    #[test]
    fn what_the_broker_noted_does_not_travel_on() {
        let mut headers = FieldTable::default();
        for name in [
            "x-death",
            "x-first-death-queue",
            "x-last-death-reason",
            "x-delivery-count",
            "n",
        ] {
            headers.insert(name.into(), AMQPValue::LongInt(3));
        }
        let read = read(&BasicProperties::default().with_headers(headers), Vec::new(), NOW);
        assert_eq!(read.headers, Headers::from([("n".into(), "3".into())]));
    }

    #[test]
    fn what_amqp_can_not_carry_is_refused_at_once() {
        let envelope = Envelope::bytes("q", "k", "a/b", Vec::new());
        let large = envelope.clone().header("n", "x".repeat(MAX_HEADERS));
        assert!(matches!(check(&large), Err(Error::Invalid { .. })));
        assert!(check(&envelope).is_ok());
    }
}
