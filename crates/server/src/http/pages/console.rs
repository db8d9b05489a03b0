//! The pages for administrators.

use gatepost_storage::Timestamp;
use serde::Serialize;

use super::view::Notice;
use super::{Fault, Page};

/// `GET /console/set-up?token=`; posts `token`, `password`.
#[derive(Debug, Serialize)]
pub struct ConsoleSetUp {
    /// The token of the link.
    pub token: String,
    /// The administrator's address.
    pub email: String,
    /// `accounts.min_password_length`, in characters.
    pub min_length: usize,
    /// What was wrong.
    pub faults: Vec<Fault>,
}

impl Page for ConsoleSetUp {
    const TEMPLATE: &'static str = "console/set_up";
}

/// `GET /console/login`; posts `email`, `password`.
#[derive(Debug, Serialize)]
pub struct ConsoleLogin {
    /// What was typed before, or empty.
    pub email: String,
    /// What was wrong.
    pub faults: Vec<Fault>,
    /// What went well just before.
    pub notice: Option<Notice>,
}

impl Page for ConsoleLogin {
    const TEMPLATE: &'static str = "console/login";
}

/// `GET /console/inbox?to=&after=`; its button posts `csrf` to `/console/logout`.
#[derive(Debug, Serialize)]
pub struct ConsoleInbox {
    /// The token that the form carries.
    pub csrf: String,
    /// Who is looking.
    pub administrator: String,
    /// Only letters to this address; empty for all.
    pub to: String,
    /// The letters, newest first.
    pub mails: Vec<InboxRow>,
    /// Where the next page starts, if there is one.
    pub next: Option<String>,
    /// Whether `mail.transport` is `capture`.
    pub capturing: bool,
}

impl Page for ConsoleInbox {
    const TEMPLATE: &'static str = "console/inbox";
}

/// A captured letter in the list.
#[derive(Debug, Serialize)]
pub struct InboxRow {
    /// Its id in `/console/inbox/{id}`.
    pub id: String,
    /// To whom.
    pub to: String,
    /// Its subject.
    pub subject: String,
    /// The letter's template.
    pub template: String,
    /// Its language.
    pub locale: String,
    /// When it would have been sent.
    pub captured_at: Timestamp,
}

/// `GET /console/inbox/{id}`; its HTML part is shown in a frame from `/console/inbox/{id}/html`
/// ([`frame`](super::answer::frame)).
#[derive(Debug, Serialize)]
pub struct ConsoleLetter {
    /// The token that the form carries.
    pub csrf: String,
    /// Who is looking.
    pub administrator: String,
    /// The letter's id.
    pub id: String,
    /// To whom.
    pub to: String,
    /// From whom.
    pub from: String,
    /// Its subject.
    pub subject: String,
    /// The letter's template.
    pub template: String,
    /// Its language.
    pub locale: String,
    /// The plain text part.
    pub text: String,
    /// The headers, in order.
    pub headers: Vec<(String, String)>,
    /// When it would have been sent.
    pub captured_at: Timestamp,
}

impl Page for ConsoleLetter {
    const TEMPLATE: &'static str = "console/letter";
    const CSP: &'static str = "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; \
                               frame-src 'self'; base-uri 'none'; frame-ancestors 'none'";
}
