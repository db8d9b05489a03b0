//! Turn a letter into a sent e-mail.
//!
//! A [`Letter`] is a type of yours (or one of [`letter`]'s) with a folder of templates: subject,
//! plain text and HTML, once for every language. [`Templates`] renders it. By default the crate does
//! just that, with no runtime and no database behind it; `smtp` adds the session with a mail server,
//! `queue` the outbox, the ledger and the worker that lose no letter.
//!
//! - [`Templates`], [`Rendered`], [`Site`]: from a letter to subject, text and HTML
//! - [`Letter`] and those of [`letter`]: what a letter is
//! - [`Secret`]: a field that is sealed wherever it waits, and erased after sending
//! - [`Error`]: what can be wrong with a template
//! - [`EmailAddress`], [`Sender`]: who it goes to and who it is from; [`Post`]: the message itself
//! - [`Sealer`]: what waits is sealed; [`wire`]: mail as other programs write it
//! - [`bounce`]: reports of letters that came back; [`verp`]: the addresses they come back to
//!
//! With `smtp`: `transport::smtp::Smtp`, a session with a mail server. With `queue`: `Mailer`, which
//! takes letters in the caller's transaction, and its `Worker`, which sends them.
//!
//! ```
//! use gatepost_mail::{Letter, Site, Templates, letter::PasswordChanged};
//!
//! let templates = Templates::built_in()?.with_site(Site::new("Shop").url("https://shop.example"));
//! templates.check_all()?;
//! let mail = templates.render(&PasswordChanged::sample(), "ru-RU")?;
//! assert_eq!(mail.subject, "Пароль изменён: Shop");
//! # Ok::<(), gatepost_mail::Error>(())
//! ```

pub mod address;
pub mod bounce;
mod config;
#[cfg(feature = "smtp")]
pub mod dkim;
mod error;
#[cfg(any(feature = "smtp", feature = "queue"))]
mod jitter;
pub mod letter;
pub mod post;
#[cfg(feature = "queue")]
mod queue;
mod render;
pub mod seal;
pub mod secret;
mod status;
#[cfg(all(feature = "testing", feature = "smtp"))]
pub mod testing;
#[cfg(any(feature = "smtp", feature = "queue"))]
pub mod transport;
pub mod verp;
pub mod wire;
pub mod words;
#[cfg(feature = "queue")]
pub mod worker;

pub use address::{AddressError, EmailAddress, Sender};
pub use config::Site;
#[cfg(feature = "smtp")]
pub use dkim::{Dkim, DkimError};
pub use error::Error;
pub use letter::Letter;
pub use post::{Attachment, Post, PostError};
#[cfg(feature = "queue")]
pub use queue::{
    ACCOUNT_LETTERS, About, AccountIntent, AccountLetters, BounceClaim, BounceNoted, Declined, Delivery,
    DeliveryEvent, DeliveryWithTimeline, EnqueueOptions, Enqueued, Idempotency, InboxFilter, ListFilter,
    MAIL_BULK_QUEUE, MAIL_QUEUE, MAIL_REQUESTS_QUEUE, MailError, MailPause, MailSwept, Mailer,
    MailerSettings, NoAccountLetters, Resolution, Resolved, Suppression, Suppressor, message_id,
};
pub use render::{Rendered, Templates};
pub use seal::{SealError, Sealer};
pub use secret::Secret;
#[cfg(feature = "queue")]
pub use transport::{CapturedMail, Transport, TransportSetup};
#[cfg(feature = "queue")]
pub use worker::{Waits, Worker, WorkerHealth};
