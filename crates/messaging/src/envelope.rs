//! A message ready to travel: where it goes, what it is, and until when it is worth anything.

use std::collections::BTreeMap;

use serde::Serialize;
use serde::de::DeserializeOwned;
use uuid::Uuid;

use crate::{Error, Message, Timestamp};

/// Headers of a message: names and values of text.
pub type Headers = BTreeMap<String, String>;

/// Longest name of a queue in bytes. AMQP allows 255; what stands beside a queue (`.retry.10m`, `.dead`)
/// needs the rest.
pub const MAX_QUEUE_NAME: usize = 200;
/// Longest kind, dedupe key, and header name in bytes, as AMQP's short strings.
pub const MAX_SHORT: usize = 255;
/// Largest body in bytes: 16 MiB, what RabbitMQ 4 takes by default, so that a broker can be switched.
pub const MAX_BODY: usize = 16 * 1024 * 1024;

/// The header that holds the W3C Trace Context.
pub const TRACEPARENT: &str = "traceparent";

/// What a message says, and in what form.
#[derive(Clone, PartialEq, Eq)]
pub struct Body {
    /// The media type, `application/json` for [`Body::json`].
    pub content_type: String,
    /// The bytes.
    pub bytes: Vec<u8>,
}

impl Body {
    /// `value` as JSON.
    ///
    /// # Errors
    /// [`Error::Encode`] if serde can't write it.
    pub fn json<T: Serialize + ?Sized>(value: &T) -> Result<Self, Error> {
        let bytes = serde_json::to_vec(value).map_err(Error::Encode)?;
        Ok(Self {
            content_type: "application/json".into(),
            bytes,
        })
    }

    /// Any bytes.
    pub fn bytes(content_type: impl Into<String>, bytes: Vec<u8>) -> Self {
        Self {
            content_type: content_type.into(),
            bytes,
        }
    }

    /// Reads JSON.
    ///
    /// # Errors
    /// What serde found wrong.
    pub fn parse<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        serde_json::from_slice(&self.bytes)
    }
}

// A body may hold anything, so that a log gets its size and no more.
impl std::fmt::Debug for Body {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Body({}, {} bytes)", self.content_type, self.bytes.len())
    }
}

/// How urgent a message is: 0 to 9, 9 first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Priority(u8);

impl Priority {
    /// 1: what may wait for everything else.
    pub const BULK: Priority = Priority(1);
    /// 4: the default.
    pub const NORMAL: Priority = Priority(4);
    /// 8: somebody sits and waits for it.
    pub const URGENT: Priority = Priority(8);

    /// From 0 to 9; `None` for more.
    pub const fn new(level: u8) -> Option<Self> {
        if level <= 9 { Some(Self(level)) } else { None }
    }

    /// 0 to 9.
    pub const fn level(self) -> u8 {
        self.0
    }
}

impl Default for Priority {
    fn default() -> Self {
        Self::NORMAL
    }
}

/// A message and everything that travels with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope {
    /// The message's id, the same in every try and every copy. `None`: given when it is published.
    pub id: Option<Uuid>,
    /// The queue, at most [`MAX_QUEUE_NAME`] bytes.
    pub queue: String,
    /// What it says: [`Message::TYPE`], at most [`MAX_SHORT`] bytes.
    pub kind: String,
    /// Headers. No secrets: they are shown where queues are shown.
    pub headers: Headers,
    /// The body, at most [`MAX_BODY`] bytes.
    pub body: Body,
    /// How urgent it is.
    pub priority: Priority,
    /// Handled no earlier.
    pub not_before: Option<Timestamp>,
    /// Not handled after this: it becomes a dead letter, unless the consumer asks for such as well.
    pub expires_at: Option<Timestamp>,
    /// A second message with the same key on the same queue, within the outbox's window, is not published.
    /// At most [`MAX_SHORT`] bytes.
    pub dedupe_key: Option<String>,
}

impl Envelope {
    /// An envelope around a typed message.
    ///
    /// # Errors
    /// [`Error::Encode`] if serde can't write it.
    pub fn message<M: Message>(queue: impl Into<String>, message: &M) -> Result<Self, Error> {
        Ok(Self::with_body(queue, M::TYPE, Body::json(message)?))
    }

    /// An envelope around anything that is JSON.
    ///
    /// # Errors
    /// [`Error::Encode`] if serde can't write it.
    pub fn json<T: Serialize + ?Sized>(
        queue: impl Into<String>,
        kind: impl Into<String>,
        value: &T,
    ) -> Result<Self, Error> {
        Ok(Self::with_body(queue, kind, Body::json(value)?))
    }

    /// An envelope around bytes.
    pub fn bytes(
        queue: impl Into<String>,
        kind: impl Into<String>,
        content_type: impl Into<String>,
        bytes: Vec<u8>,
    ) -> Self {
        Self::with_body(queue, kind, Body::bytes(content_type, bytes))
    }

    /// An envelope around a body.
    pub fn with_body(queue: impl Into<String>, kind: impl Into<String>, body: Body) -> Self {
        Self {
            id: None,
            queue: queue.into(),
            kind: kind.into(),
            headers: Headers::new(),
            body,
            priority: Priority::NORMAL,
            not_before: None,
            expires_at: None,
            dedupe_key: None,
        }
    }

    /// Sets the id.
    #[must_use]
    pub fn id(mut self, id: Uuid) -> Self {
        self.id = Some(id);
        self
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.insert(name.into(), value.into());
        self
    }

    /// Makes the message part of a trace: the W3C Trace Context `traceparent`, as it came with the request
    /// that this message follows from. It travels as the header of that name.
    #[must_use]
    pub fn trace(self, traceparent: impl Into<String>) -> Self {
        self.header(TRACEPARENT, traceparent)
    }

    /// Sets the priority.
    #[must_use]
    pub fn priority(mut self, priority: Priority) -> Self {
        self.priority = priority;
        self
    }

    /// Sets the earliest hour.
    #[must_use]
    pub fn not_before(mut self, at: Timestamp) -> Self {
        self.not_before = Some(at);
        self
    }

    /// Sets the hour after which it is worth nothing.
    #[must_use]
    pub fn expires_at(mut self, at: Timestamp) -> Self {
        self.expires_at = Some(at);
        self
    }

    /// Sets the key against saying it twice.
    #[must_use]
    pub fn dedupe_key(mut self, key: impl Into<String>) -> Self {
        self.dedupe_key = Some(key.into());
        self
    }

    /// Checks what every broker demands, so that a message is refused where it is published and not later.
    ///
    /// # Errors
    /// [`Error::Invalid`] or [`Error::TooLarge`].
    pub fn check(&self) -> Result<(), Error> {
        check_queue_name(&self.queue)?;
        self.check_content()
    }

    /// The same but for the queue, for what a route sends elsewhere.
    pub(crate) fn check_content(&self) -> Result<(), Error> {
        short("kind", &self.kind)?;
        short("content type", &self.body.content_type)?;
        if let Some(key) = &self.dedupe_key {
            short("dedupe key", key)?;
        }
        for (name, value) in &self.headers {
            short("header name", name)?;
            if value.contains('\0') {
                return Err(Error::Invalid {
                    what: "header value",
                    why: "it holds a NUL",
                });
            }
        }
        if self.body.bytes.len() > MAX_BODY {
            return Err(Error::TooLarge {
                bytes: self.body.bytes.len(),
            });
        }
        Ok(())
    }
}

/// Checks a queue's name: 1 to [`MAX_QUEUE_NAME`] bytes, no control characters.
///
/// # Errors
/// [`Error::Invalid`].
pub fn check_queue_name(queue: &str) -> Result<(), Error> {
    if queue.is_empty() || queue.len() > MAX_QUEUE_NAME {
        return Err(Error::Invalid {
            what: "queue name",
            why: "it has to be 1 to 200 bytes long",
        });
    }
    if queue.chars().any(char::is_control) {
        return Err(Error::Invalid {
            what: "queue name",
            why: "it holds a control character",
        });
    }
    Ok(())
}

fn short(what: &'static str, text: &str) -> Result<(), Error> {
    if text.len() > MAX_SHORT {
        return Err(Error::Invalid {
            what,
            why: "it is longer than 255 bytes",
        });
    }
    if text.contains('\0') {
        return Err(Error::Invalid {
            what,
            why: "it holds a NUL",
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_broker_would_refuse_is_refused_at_once() {
        let good = Envelope::bytes("billing", "order.paid", "text/plain", b"hi".to_vec());
        good.check().expect("is fine");
        let too_long = "x".repeat(256);
        for (what, bad) in [
            (
                "no queue",
                Envelope {
                    queue: String::new(),
                    ..good.clone()
                },
            ),
            (
                "a long queue",
                Envelope {
                    queue: "q".repeat(201),
                    ..good.clone()
                },
            ),
            (
                "a line end in the queue",
                Envelope {
                    queue: "a\nb".into(),
                    ..good.clone()
                },
            ),
            (
                "a long kind",
                Envelope {
                    kind: too_long.clone(),
                    ..good.clone()
                },
            ),
            (
                "a NUL in the kind",
                Envelope {
                    kind: "a\0".into(),
                    ..good.clone()
                },
            ),
            ("a long key", good.clone().dedupe_key(too_long.clone())),
            ("a long header name", good.clone().header(too_long, "v")),
            ("a NUL in a header", good.clone().header("n", "\0")),
            (
                "a huge body",
                Envelope {
                    body: Body::bytes("a/b", vec![0; MAX_BODY + 1]),
                    ..good.clone()
                },
            ),
        ] {
            assert!(bad.check().is_err(), "{what}");
        }
    }

    #[test]
    fn a_body_does_not_show_in_a_log() {
        let envelope = Envelope::json("q", "k", &serde_json::json!({"link": "s3cret"})).expect("is JSON");
        assert!(!format!("{envelope:?}").contains("s3cret"));
    }

    #[test]
    fn priorities_end_at_nine() {
        assert_eq!(Priority::new(9).map(Priority::level), Some(9));
        assert_eq!(Priority::new(10), None);
    }
}
