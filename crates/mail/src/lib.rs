//! Turn a letter into a sent e-mail.
//!
//! A [`Letter`] is a type of yours (or one of [`letter`]'s) with a folder of templates: subject,
//! plain text and HTML, once for every language. [`Templates`] renders it. By default the crate does
//! just that, with no runtime and no database behind it; `smtp` adds the session with a mail server,
//! `queue` the outbox, the ledger and the worker that lose no letter.
//!
//! - [`Templates`], [`Rendered`], [`Site`]: from a letter to subject, text and HTML
//! - [`Letter`] and the seven of [`letter`]: what a letter is
//! - [`Secret`]: a field that is sealed wherever it waits, and erased after sending
//! - [`Error`]: what can be wrong with a template
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
mod config;
mod error;
pub mod letter;
pub mod post;
mod render;
pub mod seal;
pub mod secret;
#[cfg(all(feature = "testing", feature = "smtp"))]
pub mod testing;
#[cfg(any(feature = "smtp", feature = "queue"))]
pub mod transport;
pub mod wire;
pub mod words;

pub use address::{AddressError, EmailAddress, Sender};
pub use config::Site;
pub use error::Error;
pub use letter::Letter;
pub use render::{Rendered, Templates};
pub use secret::Secret;
