//! `/api/mail*`: letters for other programs, one verb a file.

pub mod bounces;
pub mod cancel;
pub mod list;
pub mod pause;
pub mod resend;
pub mod resume;
pub mod send;
pub mod show;
mod view;

use gatepost_mail::wire::WireError;
use gatepost_mail::{Declined, MailError};

use crate::app::App;
use crate::http::{Code, Problem};

pub use view::{DeliveryView, EventView};

/// The largest body of `POST /api/mail`, in bytes: 12 MiB, 7 MiB of attachments in base64 and what else a letter says.
pub const MAX_BODY: usize = 12 * 1024 * 1024;

/// What a caller did wrong, by field; the rest as everywhere.
fn refused(error: MailError) -> Problem {
    let text = sentence(&error.to_string());
    match error {
        MailError::Render(gatepost_mail::Error::UnknownTemplate { .. }) | MailError::ReservedTemplate(_) => {
            Problem::field("template", "invalid", text)
        }
        MailError::Render(_) => Problem::field("data", "invalid", text),
        MailError::NotForPython(field) => Problem::field(field, "not_allowed", text),
        MailError::SenderNotAllowed => Problem::field("from_email", "not_allowed", text),
        MailError::Post(_) => Problem::field("body", "invalid", text),
        MailError::Queue(gatepost_messaging::Error::TooLarge { .. }) => {
            Problem::field("body", "too_long", text)
        }
        MailError::Expired => Problem::field("expires_at", "invalid", text),
        MailError::Declined(Declined::NoSuchDelivery) => Problem::not_found(),
        MailError::Declined(Declined::Erased(_)) => Problem::new(Code::MailContentErased).detail(text),
        MailError::Declined(_) => Problem::new(Code::MailState).detail(text),
        MailError::IdempotencyConflict => Problem::new(Code::IdempotencyKeyReused),
        other => other.into(),
    }
}

/// A name that nobody has would only be found out by who wonders why letters still go.
fn known_template(app: &App, template: Option<&str>) -> Result<(), Problem> {
    let templates = app.mailer.templates();
    match template {
        Some(name) if !templates.has(name) => {
            let names: Vec<&str> = templates.names().collect();
            let text = format!("There is no such template; there are {}.", names.join(", "));
            Err(Problem::field("template", "invalid", text))
        }
        _ => Ok(()),
    }
}

impl From<WireError> for Problem {
    fn from(error: WireError) -> Self {
        match error {
            WireError::Fields(fields) if !fields.is_empty() => {
                let problem = Self::new(Code::ValidationFailed);
                fields.into_iter().fold(problem, |problem, wrong| {
                    let code = if wrong.code == "missing" {
                        "required"
                    } else {
                        wrong.code
                    };
                    problem.and_field(wrong.field, code, sentence(&wrong.message))
                })
            }
            other => Self::field("body", "wrong_type", sentence(&other.to_string())),
        }
    }
}

/// Errors of libraries begin small and end without a stop; a person reads a sentence.
fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    let first: String = letters
        .next()
        .map(|c| c.to_uppercase().collect())
        .unwrap_or_default();
    let stop = if text.ends_with('.') { "" } else { "." };
    format!("{first}{}{stop}", letters.as_str())
}
