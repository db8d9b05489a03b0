//! The pages for everybody: one struct a page, its template beside it in `crates/server/pages/`.

use axum::http::StatusCode;
use gatepost_storage::Timestamp;
use serde::Serialize;

use super::{Fault, Page};

macro_rules! page {
    ($($page:ty = $template:literal),+ $(,)?) => {
        $(impl Page for $page {
            const TEMPLATE: &'static str = $template;
        })+
    };
}

page! {
    Landing = "landing",
    Register = "register",
    CheckMail = "check_mail",
    Login = "login",
    ForgotPassword = "forgot_password",
    Activate = "activate",
    Activated = "activated",
    ActivationWithdrawn = "activation_withdrawn",
    ResetPassword = "reset_password",
    ConfirmEmail = "confirm_email",
    EmailConfirmed = "email_confirmed",
    EmailChangeWithdrawn = "email_change_withdrawn",
    Invitation = "invitation",
    InvitationAccepted = "invitation_accepted",
    RegistrationClosed = "registration_closed",
    PasswordReset = "password_reset",
    LinkRefused = "link_refused",
    Account = "account",
    Failure = "failure",
}

/// Who may register (`accounts.registration`), as pages tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Door {
    /// Anybody.
    Open,
    /// Who is invited.
    Invite,
    /// Nobody, or there are no accounts here.
    Closed,
}

/// `GET /`.
#[derive(Debug, Serialize)]
pub struct Landing {
    /// Who may register.
    pub registration: Door,
    /// Whether the console is served here.
    pub console: bool,
    /// Whether the documents are served here.
    pub docs: bool,
}

/// `GET /register`; posts `email`, `password`, `locale`.
#[derive(Debug, Serialize)]
pub struct Register {
    /// What was typed before, or empty.
    pub email: String,
    /// `accounts.min_password_length`, in characters.
    pub min_length: usize,
    /// What was wrong.
    pub faults: Vec<Fault>,
}

/// What somebody is told to look for in their mailbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CheckMailReason {
    /// They registered.
    Registered,
    /// They asked for a reset link.
    PasswordForgotten,
}

/// The answer to a registration, and to a forgotten password; the same whether or not the address is known.
#[derive(Debug, Serialize)]
pub struct CheckMail {
    /// What they did.
    pub reason: CheckMailReason,
    /// The address as they typed it.
    pub email: String,
    /// Whether mail is captured here, so that the letter is to be found in the console.
    pub captured: bool,
}

/// Something that went well, told above a form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Notice {
    /// This session has ended.
    LoggedOut,
    /// All sessions have ended.
    LoggedOutEverywhere,
    /// The password is another one.
    PasswordChanged,
    /// Another session has ended.
    SessionEnded,
    /// Another address was asked for.
    EmailChangeAsked,
    /// The page that was asked for is for those who are logged in.
    LoginNeeded,
    /// An administrator chose a password.
    AdministratorReady,
}

/// `GET /login`; posts `email`, `password`.
#[derive(Debug, Serialize)]
pub struct Login {
    /// What was typed before, or empty.
    pub email: String,
    /// What was wrong.
    pub faults: Vec<Fault>,
    /// What went well just before.
    pub notice: Option<Notice>,
    /// Whether `accounts.registration` is open.
    pub registration_open: bool,
}

/// `GET /forgot-password`; posts `email`.
#[derive(Debug, Serialize)]
pub struct ForgotPassword {
    /// What was typed before, or empty.
    pub email: String,
    /// What was wrong.
    pub faults: Vec<Fault>,
}

/// `GET /activate?token=`; posts `token`, and `answer`: `activate` or `not_me`. A script that submits the form
/// without pressing a button sends no `answer`.
#[derive(Debug, Serialize)]
pub struct Activate {
    /// The token of the link.
    pub token: String,
    /// When somebody registered.
    pub asked_at: Timestamp,
    /// What was wrong with the press.
    pub faults: Vec<Fault>,
}

/// The account is active.
#[derive(Debug, Serialize)]
pub struct Activated {
    /// It was active before this press.
    pub already: bool,
}

/// Whoever owns the address says that it was somebody else.
#[derive(Debug, Serialize)]
pub struct ActivationWithdrawn {}

/// `GET /reset-password?token=`; posts `token`, `password`.
#[derive(Debug, Serialize)]
pub struct ResetPassword {
    /// The token of the link.
    pub token: String,
    /// `accounts.min_password_length`, in characters.
    pub min_length: usize,
    /// What was wrong.
    pub faults: Vec<Fault>,
}

/// The password is another one.
#[derive(Debug, Serialize)]
pub struct PasswordReset {}

/// `GET /confirm-email?token=`; posts `token`, and `answer`: `confirm` or `not_me`.
#[derive(Debug, Serialize)]
pub struct ConfirmEmail {
    /// The token of the link.
    pub token: String,
    /// The address to be, which the reader of the link has.
    pub email: String,
    /// The address that the account has, masked.
    pub old: String,
    /// When it was asked for.
    pub asked_at: Timestamp,
    /// What was wrong with the press.
    pub faults: Vec<Fault>,
}

/// The account has another address.
#[derive(Debug, Serialize)]
pub struct EmailConfirmed {
    /// That address.
    pub email: String,
    /// It had it before this press.
    pub already: bool,
}

/// Whoever owns the address says that it was somebody else who wanted it.
#[derive(Debug, Serialize)]
pub struct EmailChangeWithdrawn {}

/// `GET /invitation?token=`; posts `token`, `password`.
#[derive(Debug, Serialize)]
pub struct Invitation {
    /// The token of the link.
    pub token: String,
    /// The address of the account.
    pub email: String,
    /// `accounts.min_password_length`, in characters.
    pub min_length: usize,
    /// What was wrong.
    pub faults: Vec<Fault>,
}

/// The account is open.
#[derive(Debug, Serialize)]
pub struct InvitationAccepted {
    /// Its address.
    pub email: String,
}

/// `GET /register` where not everybody may.
#[derive(Debug, Serialize)]
pub struct RegistrationClosed {
    /// Whether who is invited can.
    pub by_invitation: bool,
}

/// What a link was for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LinkKind {
    /// To activate an account.
    Activate,
    /// To choose a new password.
    ResetPassword,
    /// To confirm another address of an account.
    ConfirmEmail,
    /// To open an account that was made for somebody.
    Invitation,
}

/// Why a link does not work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LinkRefusal {
    /// Its time is over.
    Expired,
    /// It worked once.
    Used,
    /// Malformed, withdrawn, revoked, or replaced by a newer one.
    Unknown,
}

/// A link that does not work, and what to do now.
#[derive(Debug, Serialize)]
pub struct LinkRefused {
    /// What it was for.
    pub link: LinkKind,
    /// Why it does not work.
    pub reason: LinkRefusal,
    /// Whether `accounts.registration` is open.
    pub registration_open: bool,
}

/// `GET /account`; posts `csrf` and `action`: `change_password` (with `current`, `new`), `change_email` (with
/// `email`, `password`), `end_session` (with `session`), `logout`, `logout_everywhere`.
#[derive(Debug, Serialize)]
pub struct Account {
    /// The token that the forms carry.
    pub csrf: String,
    /// The account's address.
    pub email: String,
    /// When it was opened.
    pub created_at: Timestamp,
    /// Where its owner is logged in.
    pub sessions: Vec<SessionRow>,
    /// `accounts.min_password_length`, in characters.
    pub min_length: usize,
    /// The address to be that was typed before, or empty.
    pub new_email: String,
    /// What was wrong with the forms (`current`, `new`; `email`, `password`).
    pub faults: Vec<Fault>,
    /// What went well just before.
    pub notice: Option<Notice>,
}

/// One place where somebody is logged in.
#[derive(Debug, Serialize)]
pub struct SessionRow {
    /// The session's id.
    pub id: String,
    /// It is the one that looks at this page.
    pub current: bool,
    /// The `User-Agent` that logged in.
    pub device: Option<String>,
    /// The network address that logged in.
    pub address: Option<String>,
    /// When it logged in.
    pub started_at: Timestamp,
    /// When it was last heard of.
    pub last_seen_at: Timestamp,
}

/// A refusal as a page.
#[derive(Debug, Serialize)]
pub struct Failure {
    status: u16,
    words: u16,
    code: String,
    request_id: Option<String>,
    retry_after: Option<u64>,
}

impl Failure {
    /// The statuses that have words of their own.
    const WORDS: [u16; 9] = [400, 401, 403, 404, 405, 413, 429, 500, 503];

    /// A refusal with that status and code.
    pub fn new(status: StatusCode, code: impl Into<String>) -> Self {
        let status = status.as_u16();
        let like = if status < 500 { 400 } else { 500 };
        Self {
            status,
            words: if Self::WORDS.contains(&status) {
                status
            } else {
                like
            },
            code: code.into(),
            request_id: None,
            retry_after: None,
        }
    }

    /// The number under which the log tells more.
    #[must_use]
    pub fn request_id(mut self, id: impl Into<String>) -> Self {
        self.request_id = Some(id.into());
        self
    }

    /// How long to wait, in seconds.
    #[must_use]
    pub fn retry_after(mut self, seconds: u64) -> Self {
        self.retry_after = Some(seconds);
        self
    }
}
