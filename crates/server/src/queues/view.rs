//! Queues and messages as they are shown.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use gatepost_messaging::{Body, DeadLetter, Headers, QueueStatus, Waiting};
use gatepost_storage::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

/// How a queue stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Queue)]
pub struct QueueView {
    /// Its name.
    pub queue: String,
    /// Where its messages are: `database` or `rabbitmq`.
    pub place: &'static str,
    /// Messages that could be handled now.
    pub ready: u64,
    /// Messages that wait for their hour.
    pub delayed: u64,
    /// Messages that somebody has in hand; on RabbitMQ those of this process alone.
    pub in_hand: u64,
    /// Dead letters.
    pub dead: u64,
    /// Age of the oldest message in seconds; none on RabbitMQ, where looking at it would count as a delivery.
    pub oldest_seconds: Option<u64>,
    /// Consumers, of this process and others; on RabbitMQ only.
    pub consumers: Option<u64>,
}

impl QueueView {
    pub(super) fn new(place: &'static str, status: QueueStatus) -> Self {
        Self {
            queue: status.queue,
            place,
            ready: status.ready,
            delayed: status.delayed,
            in_hand: status.in_hand,
            dead: status.dead,
            oldest_seconds: status.oldest.map(|age| age.as_secs()),
            consumers: status.consumers,
        }
    }
}

/// A message that waits, or a dead letter.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = QueuedMessage)]
pub struct MessageView {
    /// Its id.
    #[schema(value_type = String)]
    pub id: Uuid,
    /// What it says it is.
    #[serde(rename = "type")]
    pub kind: String,
    /// Its headers.
    #[schema(value_type = Object)]
    pub headers: Headers,
    /// Its body's media type.
    pub content_type: String,
    /// Its body's length in bytes.
    pub size: usize,
    /// Its body, if it was asked for and is text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
    /// Its body, if it was asked for and is no text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body_base64: Option<String>,
    /// 0 to 9, 9 first.
    pub priority: u8,
    /// When it was published.
    #[schema(value_type = String, format = DateTime)]
    pub enqueued_at: Timestamp,
    /// When it is handled first, or again; none for a dead letter.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub visible_at: Option<Timestamp>,
    /// After which it is worth nothing.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub expires_at: Option<Timestamp>,
    /// Whether somebody has it in hand.
    pub in_hand: bool,
    /// How many tries counted.
    pub attempts: u32,
    /// Why the last one failed.
    pub last_error: Option<String>,
    /// Of a dead letter: why and when it died.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dead: Option<Death>,
}

/// Why nobody tries it any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Death {
    /// `failed`, `attempts`, `crash_loop`, `expired`, `malformed`, or what RabbitMQ itself says.
    pub reason: String,
    /// In a sentence.
    pub detail: String,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    pub died_at: Timestamp,
}

impl MessageView {
    pub(super) fn waiting(one: Waiting, bodies: bool) -> Self {
        let (body, body_base64) = shown(&one.body, bodies);
        Self {
            id: one.id,
            kind: one.kind,
            headers: one.headers,
            content_type: one.body.content_type,
            size: one.body.bytes.len(),
            body,
            body_base64,
            priority: one.priority.level(),
            enqueued_at: one.enqueued_at,
            visible_at: Some(one.visible_at),
            expires_at: one.expires_at,
            in_hand: one.in_hand,
            attempts: one.attempts,
            last_error: one.last_error,
            dead: None,
        }
    }

    pub(super) fn dead(one: DeadLetter, bodies: bool) -> Self {
        let (body, body_base64) = shown(&one.body, bodies);
        Self {
            id: one.id,
            kind: one.kind,
            headers: one.headers,
            content_type: one.body.content_type,
            size: one.body.bytes.len(),
            body,
            body_base64,
            priority: one.priority.level(),
            enqueued_at: one.enqueued_at,
            visible_at: None,
            expires_at: one.expires_at,
            in_hand: false,
            attempts: one.attempts,
            last_error: None,
            dead: Some(Death {
                reason: one.reason,
                detail: one.detail,
                died_at: one.died_at,
            }),
        }
    }
}

fn shown(body: &Body, wanted: bool) -> (Option<String>, Option<String>) {
    if !wanted {
        return (None, None);
    }
    match std::str::from_utf8(&body.bytes) {
        Ok(text) => (Some(text.to_owned()), None),
        Err(_) => (None, Some(STANDARD.encode(&body.bytes))),
    }
}
