//! Letters on their way: asked for in the caller's transaction, found in the ledger from then on.

mod body;
mod bounced;
mod compose;
mod decide;
mod enqueue;
mod error;
mod intent;
mod mailer;
mod news;
mod pauses;
mod requests;
mod settings;
mod suppress;
mod views;

pub(crate) use body::{KIND_INTENT, KIND_LETTER, QueuedLetter};
pub use bounced::{BounceClaim, BounceNoted, message_id};
pub(crate) use compose::compose;
pub use decide::Declined;
pub use enqueue::{EnqueueOptions, Enqueued, Idempotency};
pub use error::MailError;
pub use intent::{About, AccountIntent, AccountLetters, NoAccountLetters, Resolution, Resolved};
pub use mailer::{InboxFilter, ListFilter, MailSwept, Mailer};
pub(crate) use news::{LetterNews, NewsKind};
pub use pauses::MailPause;
pub(crate) use pauses::TOPIC as PAUSES_TOPIC;
pub(crate) use settings::is_ours;
pub use settings::{ACCOUNT_LETTERS, MAIL_BULK_QUEUE, MAIL_QUEUE, MAIL_REQUESTS_QUEUE, MailerSettings};
pub use suppress::{Suppression, Suppressor};
pub use views::{Delivery, DeliveryEvent, DeliveryWithTimeline};
