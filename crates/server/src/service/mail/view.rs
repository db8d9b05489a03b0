//! Deliveries as the API shows them: never with content, never with a whole address.

use gatepost_mail::{Delivery, DeliveryEvent};
use gatepost_storage::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

/// A letter to one recipient, and how it stands.
#[derive(Debug, Serialize, ToSchema)]
pub struct DeliveryView {
    /// The delivery.
    pub id: String,
    /// The mail; the same for all its recipients, and in the header `Message-ID`.
    pub message_id: String,
    /// The letter's template.
    pub template: String,
    /// The language it was asked for in.
    pub locale: Option<String>,
    /// The recipient, masked (`u***@e***.com`); none until an account letter is made.
    pub to: Option<String>,
    /// `waiting`, `sending`, `deferred`, `sent`, `handed_over`, `failed`, `unknown`, `suppressed`, `expired`,
    /// `superseded` or `cancelled`.
    pub state: String,
    /// How often it was tried and put off.
    pub attempts: i64,
    /// What the mail server said last, or why it ended.
    pub reply: Option<String>,
    /// When it was asked for.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// When anything about it changed.
    #[schema(value_type = String, format = DateTime)]
    pub updated_at: Timestamp,
    /// When it is tried again.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub next_attempt_at: Option<Timestamp>,
    /// When it is no longer worth sending.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub expires_at: Option<Timestamp>,
    /// When the mail server took it.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub sent_at: Option<Timestamp>,
    /// How often somebody began to send it.
    pub starts: i64,
    /// How often the final dot was about to be sent: what was taken was taken after one of these.
    pub dots: i64,
    /// How many copies the reader may have, all with the same Message-ID: more than one only where no answer
    /// came after a final dot.
    pub possible_copies: i64,
    /// The delivery that repeats it, if somebody asked for that.
    pub resent_as: Option<String>,
    /// When it came back after it had been sent.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub bounced_at: Option<Timestamp>,
}

impl From<Delivery> for DeliveryView {
    fn from(row: Delivery) -> Self {
        Self {
            id: row.id.to_string(),
            message_id: row.message_id.to_string(),
            template: row.template,
            locale: row.locale,
            to: row.to,
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
            possible_copies: row.possible_copies,
            resent_as: row.resent_as.map(|id| id.to_string()),
            bounced_at: row.bounced_at,
        }
    }
}

/// Something that happened to a letter, once or several times in a row.
#[derive(Debug, Serialize, ToSchema)]
pub struct EventView {
    /// `queued`, `sending`, `interrupted`, `deferred`, `server_fault`, `unanswered`, `held_back`, `let_through`
    /// (to a suppressed address), `replayed`, `resent`, `copy_dropped`, `bounced`, `delayed`, `complaint`, or the
    /// state that it ended in.
    pub event: String,
    /// What the mail server said, or why.
    pub detail: Option<String>,
    /// How often in a row.
    pub times: i64,
    /// When, for the first time in a row.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// When, for the last time in a row.
    #[schema(value_type = String, format = DateTime)]
    pub last_at: Timestamp,
}

impl From<DeliveryEvent> for EventView {
    fn from(row: DeliveryEvent) -> Self {
        Self {
            event: row.event,
            detail: row.detail,
            times: row.times,
            at: row.at,
            last_at: row.last_at,
        }
    }
}
