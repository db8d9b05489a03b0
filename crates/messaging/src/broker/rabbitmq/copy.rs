//! Copies of a message: for its next try, for the suspects, for the dead letters, and back from there.
//!
//! A copy keeps everything that the original came with, headers of other programs' making included, but
//! for what the broker wrote there and what would be obeyed a second time.

use std::collections::BTreeMap;

use lapin::BasicProperties;
use lapin::types::{AMQPValue, FieldTable, ShortString};
use uuid::Uuid;

use super::properties::header;
use crate::Timestamp;

/// Counted tries that failed so far.
pub(super) const ATTEMPT: &str = header::ATTEMPT;
/// Starts since the last of them that came to no end.
pub(super) const STARTS: &str = "x-starts";
/// Not to be handled before, in microseconds since 1970.
pub(super) const NOT_BEFORE: &str = "x-not-before";
/// How many copies were made of it so far, which tells a copy from what it was copied from.
pub(super) const COPIES: &str = "x-copies";
/// When an outbox handed it over once more, in microseconds since 1970: not the message that was acknowledged.
pub(super) const AGAIN_AT: &str = "x-again-at";
/// There, if the id was made here and nobody has kept it yet: another delivery of the original gets another.
pub(super) const ID_MADE: &str = "x-id-made";
/// Why the last try failed.
pub(super) const LAST_ERROR: &str = "x-last-error";
/// Why it is a dead letter, as a word.
pub(super) const DEAD_REASON: &str = "x-dead-reason";
/// Why it is a dead letter, in a sentence.
pub(super) const DEAD_DETAIL: &str = "x-dead-detail";
/// When it became one, in microseconds since 1970.
pub(super) const DIED_AT: &str = "x-died-at";

/// When it was put back from there, in microseconds since 1970.
pub(super) const REPLAYED_AT: &str = "x-replayed-at";

/// What only this crate reads.
pub(super) fn is_ours(name: &str) -> bool {
    matches!(
        name,
        STARTS | NOT_BEFORE | COPIES | AGAIN_AT | ID_MADE | LAST_ERROR | DEAD_REASON | DEAD_DETAIL | DIED_AT
    )
}

/// Written by the broker (`x-death` and what goes with it, counters), or obeyed by it once more (`CC`,
/// `BCC`: copies to other queues).
const NOT_COPIED: [&str; 10] = [
    "x-death",
    "x-first-death-exchange",
    "x-first-death-queue",
    "x-first-death-reason",
    "x-last-death-exchange",
    "x-last-death-queue",
    "x-last-death-reason",
    "x-delivery-count",
    "CC",
    "BCC",
];
const ALSO_NOT_COPIED: &str = "x-acquired-count";

/// A copy in the making.
pub(super) struct Copy<'a> {
    original: &'a BasicProperties,
    id: Uuid,
    headers: BTreeMap<ShortString, AMQPValue>,
}

impl<'a> Copy<'a> {
    pub(super) fn of(original: &'a BasicProperties, id: Uuid) -> Self {
        let mut headers = original
            .headers()
            .as_ref()
            .map(|headers| headers.inner().clone())
            .unwrap_or_default();
        for name in NOT_COPIED {
            headers.remove(name);
        }
        headers.remove(ALSO_NOT_COPIED);
        Self {
            original,
            id,
            headers,
        }
        .number(COPIES, number(original, COPIES).unwrap_or(0).saturating_add(1))
    }

    pub(super) fn number(mut self, name: &'static str, value: i64) -> Self {
        self.headers.insert(name.into(), AMQPValue::LongLongInt(value));
        self
    }

    pub(super) fn moment(self, name: &'static str, at: Timestamp) -> Self {
        self.number(name, at.as_micros())
    }

    pub(super) fn text(mut self, name: &'static str, value: &str) -> Self {
        self.headers
            .insert(name.into(), AMQPValue::LongString(value.into()));
        self
    }

    pub(super) fn without(mut self, name: &'static str) -> Self {
        self.headers.remove(name);
        self
    }

    /// The properties of the copy: persistent whatever the original was, and with an id. Its own time to
    /// live is gone, which would send it on early or drop it among the dead letters, and so is the user,
    /// whom the broker would compare with ours.
    pub(super) fn properties(self) -> BasicProperties {
        let original = self.original;
        let mut copy = BasicProperties::default()
            .with_delivery_mode(2)
            .with_message_id(self.id.to_string().into())
            .with_headers(FieldTable::from(self.headers));
        if let Some(value) = original.content_type() {
            copy = copy.with_content_type(value.clone());
        }
        if let Some(value) = original.content_encoding() {
            copy = copy.with_content_encoding(value.clone());
        }
        if let Some(value) = original.priority() {
            copy = copy.with_priority(*value);
        }
        if let Some(value) = original.correlation_id() {
            copy = copy.with_correlation_id(value.clone());
        }
        if let Some(value) = original.reply_to() {
            copy = copy.with_reply_to(value.clone());
        }
        if let Some(value) = original.timestamp() {
            copy = copy.with_timestamp(*value);
        }
        if let Some(value) = original.kind() {
            copy = copy.with_type(value.clone());
        }
        if let Some(value) = original.app_id() {
            copy = copy.with_app_id(value.clone());
        }
        copy
    }
}

fn header<'a>(properties: &'a BasicProperties, name: &str) -> Option<&'a AMQPValue> {
    properties.headers().as_ref()?.inner().get(name)
}

/// A header that is a whole number, of whatever width or as text.
pub(super) fn number(properties: &BasicProperties, name: &str) -> Option<i64> {
    match header(properties, name)? {
        AMQPValue::ShortShortInt(n) => Some(i64::from(*n)),
        AMQPValue::ShortShortUInt(n) => Some(i64::from(*n)),
        AMQPValue::ShortInt(n) => Some(i64::from(*n)),
        AMQPValue::ShortUInt(n) => Some(i64::from(*n)),
        AMQPValue::LongInt(n) => Some(i64::from(*n)),
        AMQPValue::LongUInt(n) => Some(i64::from(*n)),
        AMQPValue::LongLongInt(n) => Some(*n),
        AMQPValue::LongString(text) => std::str::from_utf8(text.as_bytes()).ok()?.parse().ok(),
        _ => None,
    }
}

/// A header that counts; nothing if it is not there, or is no count.
pub(super) fn count(properties: &BasicProperties, name: &str) -> u32 {
    number(properties, name)
        .and_then(|n| u32::try_from(n).ok())
        .unwrap_or(0)
}

/// A header that is a moment.
pub(super) fn moment(properties: &BasicProperties, name: &str) -> Option<Timestamp> {
    number(properties, name).map(Timestamp::from_micros)
}

/// A header that is text.
pub(super) fn text(properties: &BasicProperties, name: &str) -> Option<String> {
    match header(properties, name)? {
        AMQPValue::LongString(text) => Some(String::from_utf8_lossy(text.as_bytes()).into_owned()),
        AMQPValue::ShortString(text) => Some(text.to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_keeps_what_others_wrote_and_drops_what_would_act_again() {
        let mut headers = FieldTable::default();
        headers.insert("x-retry-count".into(), AMQPValue::LongInt(3));
        headers.insert("nested".into(), AMQPValue::FieldTable(FieldTable::default()));
        headers.insert("x-death".into(), AMQPValue::FieldTable(FieldTable::default()));
        headers.insert("x-delivery-count".into(), AMQPValue::LongInt(7));
        headers.insert("BCC".into(), AMQPValue::FieldTable(FieldTable::default()));
        let original = BasicProperties::default()
            .with_headers(headers)
            .with_expiration("1000".into())
            .with_user_id("app".into())
            .with_delivery_mode(1)
            .with_content_type("text/plain".into());
        let id = Uuid::from_u128(5);
        let copy = Copy::of(&original, id).number(ATTEMPT, 2).properties();
        let names: Vec<_> = copy
            .headers()
            .as_ref()
            .unwrap()
            .inner()
            .keys()
            .map(ToString::to_string)
            .collect();
        assert_eq!(names, ["nested", ATTEMPT, COPIES, "x-retry-count"]);
        assert_eq!(count(&copy, ATTEMPT), 2);
        assert_eq!(copy.message_id().as_ref().unwrap().as_str(), id.to_string());
        assert_eq!(
            (copy.delivery_mode(), copy.expiration(), copy.user_id()),
            (&Some(2), &None, &None)
        );
        assert_eq!(copy.content_type().as_ref().unwrap().as_str(), "text/plain");
    }

    #[test]
    fn a_number_is_read_however_it_was_written() {
        for value in [
            AMQPValue::LongInt(7),
            AMQPValue::LongLongInt(7),
            AMQPValue::ShortShortUInt(7),
            AMQPValue::LongString("7".into()),
        ] {
            let mut headers = FieldTable::default();
            headers.insert(STARTS.into(), value);
            let properties = BasicProperties::default().with_headers(headers);
            assert_eq!(count(&properties, STARTS), 7);
        }
        assert_eq!(count(&BasicProperties::default(), STARTS), 0);
    }
}
