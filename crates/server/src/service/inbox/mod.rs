//! `/api/inbox*`: the letters that `mail.transport = "capture"` kept instead of sending.

pub mod list;
pub mod show;

use gatepost_mail::CapturedMail;
use gatepost_storage::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use crate::app::App;
use crate::config::MailTransport;
use crate::http::Problem;

/// A captured letter.
#[derive(Debug, Serialize, ToSchema)]
pub struct Captured {
    /// Its id.
    pub id: String,
    /// Whom it would have gone to.
    pub to: String,
    /// Who it is from.
    pub from: String,
    /// The letter's name: `activate_account`, `reset_password`, `notification`, ...
    pub template: String,
    /// The language that it is in.
    pub locale: String,
    /// Its subject.
    pub subject: String,
    /// Its plain part, every link whole on a line of its own.
    pub text: String,
    /// Its HTML part.
    pub html: Option<String>,
    /// When it was caught.
    #[schema(value_type = String, format = DateTime)]
    pub captured_at: Timestamp,
}

impl From<CapturedMail> for Captured {
    fn from(mail: CapturedMail) -> Self {
        Self {
            id: mail.id.to_string(),
            to: mail.to,
            from: mail.from,
            template: mail.template,
            locale: mail.locale,
            subject: mail.subject,
            text: mail.text,
            html: mail.html,
            captured_at: mail.captured_at,
        }
    }
}

/// 404 unless letters are captured: with a real transport there is no box to look into.
pub(crate) fn only_if_capturing(app: &App) -> Result<(), Problem> {
    if matches!(app.config.mail.transport, MailTransport::Capture) {
        return Ok(());
    }
    Err(Problem::not_found().detail("Letters are sent, not captured: `mail.transport` is not `capture`."))
}
