//! Deliveries as they are shown: never with content, never with a whole address.

use gatepost_storage::Timestamp;
use gatepost_storage::deliveries::DeliveryRow;
use gatepost_storage::delivery_events::DeliveryEventRow;
use serde::Serialize;
use uuid::Uuid;

/// A letter to one recipient and what became of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Delivery {
    /// The delivery.
    pub id: Uuid,
    /// The mail; the same for all its recipients, and in the header `Message-ID`.
    pub message_id: Uuid,
    /// The letter's template.
    pub template: String,
    /// The language it was asked for in.
    pub locale: Option<String>,
    /// The recipient, masked (`u***@e***.com`); none until an account letter is made.
    pub to: Option<String>,
    /// `waiting`, `sending`, `deferred`, `sent`, `failed`, `unknown`, `suppressed`, `expired`,
    /// `superseded` or `cancelled`.
    pub state: String,
    /// How often it was tried and put off.
    pub attempts: i64,
    /// What the mail server said last, or why it ended.
    pub reply: Option<String>,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// When anything about it changed.
    pub updated_at: Timestamp,
    /// When it is tried again.
    pub next_attempt_at: Option<Timestamp>,
    /// When it is no longer worth sending.
    pub expires_at: Option<Timestamp>,
    /// When the mail server took it.
    pub sent_at: Option<Timestamp>,
    /// How often somebody began to send it.
    pub starts: i64,
    /// How often the final dot was about to be sent: what was taken was taken after one of these.
    pub dots: i64,
    /// How many copies the reader may have, all with the same Message-ID: more than one only where no answer
    /// came after a final dot.
    pub possible_copies: i64,
    /// The delivery that repeats it, if somebody asked for that.
    pub resent_as: Option<Uuid>,
    /// When it came back after it had been sent.
    pub bounced_at: Option<Timestamp>,
}

/// Something that happened to a letter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DeliveryEvent {
    /// `queued`, `sending`, `interrupted`, `deferred`, `server_fault`, `unanswered`, `held_back`,
    /// `let_through` (to a suppressed address), `replayed`, `resent`, `repeats`, `copy_dropped`, `bounced`, `delayed`,
    /// `complaint`, or the state it ended in.
    pub event: String,
    /// What the mail server said, or why.
    pub detail: Option<String>,
    /// How often in a row.
    pub times: i64,
    /// When, for the first time in a row.
    pub at: Timestamp,
    /// When, for the last time in a row.
    pub last_at: Timestamp,
}

/// A letter with its timeline.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DeliveryWithTimeline {
    /// The letter.
    #[serde(flatten)]
    pub delivery: Delivery,
    /// What happened to it, oldest first.
    pub timeline: Vec<DeliveryEvent>,
    /// The same mail's deliveries to others.
    pub copies: Vec<Delivery>,
}

impl From<DeliveryRow> for Delivery {
    fn from(row: DeliveryRow) -> Self {
        let taken = i64::from(row.sent_at.is_some());
        let possible_copies = row.twins + taken.max(row.open_dots);
        Self {
            id: row.id,
            message_id: row.message_id,
            template: row.template,
            locale: row.locale,
            to: row.recipient,
            state: row.state,
            attempts: row.attempts,
            reply: row.reply,
            created_at: row.created_at,
            updated_at: row.updated_at,
            next_attempt_at: row.next_attempt_at,
            expires_at: row.expires_at,
            sent_at: row.sent_at,
            starts: row.starts,
            dots: row.dots,
            possible_copies,
            resent_as: row.resent_as,
            bounced_at: row.bounced_at,
        }
    }
}

impl From<DeliveryEventRow> for DeliveryEvent {
    fn from(row: DeliveryEventRow) -> Self {
        Self {
            event: row.event,
            detail: row.detail,
            times: row.times,
            at: row.at,
            last_at: row.last_at,
        }
    }
}
