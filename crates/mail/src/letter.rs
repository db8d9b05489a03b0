//! What a letter is, and those that Gatepost sends.
//!
//! A new letter is a type here (or in your program) and a folder
//! `templates/<name>/<locale>/{subject.txt,body.txt,body.html}.j2`.

use jiff::Timestamp;
use serde::Serialize;

use crate::Secret;

/// A letter: data with a template to show it.
///
/// Its fields are what the templates see, by name. They must serialize to a map, which a struct
/// with named fields does.
pub trait Letter: Serialize {
    /// The folder that holds its templates, and the name under which its deliveries are counted.
    const TEMPLATE: &'static str;

    /// One with every field filled in, for checks at start and for previews.
    fn sample() -> Self
    where
        Self: Sized;
}

/// Confirm the address that somebody registered with. Goes to an unconfirmed address, so it holds
/// no text from whoever asked.
#[derive(Debug, Serialize)]
pub struct ActivateAccount {
    /// The page with the button, token included.
    pub link: Secret<String>,
    /// When somebody registered.
    pub asked_at: Timestamp,
    /// How long the link works from the sending of the letter, in seconds.
    pub lifetime: u64,
}

/// Choose a new password.
#[derive(Debug, Serialize)]
pub struct ResetPassword {
    /// The page with the form, token included.
    pub link: Secret<String>,
    /// When somebody asked.
    pub asked_at: Timestamp,
    /// How long the link works from the sending of the letter, in seconds.
    pub lifetime: u64,
}

/// The password was changed; what to do if it was somebody else.
#[derive(Debug, Serialize)]
pub struct PasswordChanged {
    /// When it was changed.
    pub changed_at: Timestamp,
    /// Where to ask for a reset link.
    pub forgot_url: String,
}

/// Somebody tried to register with an address that has an account.
#[derive(Debug, Serialize)]
pub struct AlreadyRegistered {
    /// When they tried.
    pub asked_at: Timestamp,
    /// Where to log in.
    pub login_url: String,
    /// Where to ask for a reset link.
    pub forgot_url: String,
}

/// The account is active.
#[derive(Debug, Serialize)]
pub struct Welcome {
    /// Where to log in.
    pub login_url: String,
}

/// A refresh token came twice: a session was ended, since one of the two who held it stole it.
#[derive(Debug, Serialize)]
pub struct RefreshReuseDetected {
    /// When it was noticed.
    pub noticed_at: Timestamp,
    /// Where to ask for a reset link.
    pub forgot_url: String,
}

/// Confirm the address that an account is to have instead of its own. Goes to an unconfirmed address, so it holds no
/// text from whoever asked.
#[derive(Debug, Serialize)]
pub struct ConfirmEmail {
    /// The page with the button, token included.
    pub link: Secret<String>,
    /// When the change was asked for.
    pub asked_at: Timestamp,
    /// How long the link works from the sending of the letter, in seconds.
    pub lifetime: u64,
}

/// Somebody with the password asked for another address; goes to the address that the account has.
#[derive(Debug, Serialize)]
pub struct EmailChangeAsked {
    /// The address to be, masked: enough for whoever asked to know it again.
    pub new_email: String,
    /// When it was asked for.
    pub asked_at: Timestamp,
    /// Where to ask for a reset link; a new password withdraws the change.
    pub forgot_url: String,
}

/// The account has another address; goes to both.
#[derive(Debug, Serialize)]
pub struct EmailChanged {
    /// The address that it had, masked.
    pub old_email: String,
    /// The address that it has, masked.
    pub new_email: String,
    /// When it was changed.
    pub changed_at: Timestamp,
}

/// An account was made for somebody, who opens it by choosing its password. Goes to an unconfirmed address, so it
/// holds no text from whoever invites.
#[derive(Debug, Serialize)]
pub struct Invitation {
    /// The page with the form, token included.
    pub link: Secret<String>,
    /// When the invitation was made.
    pub invited_at: Timestamp,
    /// How long the link works from the sending of the letter, in seconds.
    pub lifetime: u64,
}

/// Somebody logged in from a device or network that the account was not used from before.
#[derive(Debug, Serialize)]
pub struct NewDevice {
    /// The program, in a word; empty if it is not known.
    pub app: String,
    /// What it runs on, in a word; empty if it is not known.
    pub system: String,
    /// The network it came from: `192.0.2.0/24`.
    pub network: String,
    /// When.
    pub at: Timestamp,
    /// Where the sessions stand and can be ended.
    pub account_url: String,
    /// Where to ask for a reset link.
    pub forgot_url: String,
}

/// A title and a message, as the Python services' `send_email_service` has it.
#[derive(Debug, Serialize)]
pub struct Notification {
    /// The subject, and the heading.
    pub title: String,
    /// Plain text; a blank line starts a paragraph.
    pub message: String,
}

/// 22 November 2026, 12:15 UTC: a time in the samples that never moves.
const SAMPLE_TIME: Timestamp = Timestamp::constant(1_795_349_700, 0);

fn sample_link(page: &str) -> Secret<String> {
    format!("https://example.com/{page}?token=eyJhbGciOiJIUzI1NiIsInR5cCI6ImFjdGl2YXRlK2p3dCJ9.eyJzdWIiOiIwMTkzNTQ2YSJ9.c2FtcGxlLXNpZ25hdHVyZQ").into()
}

impl Letter for ActivateAccount {
    const TEMPLATE: &'static str = "activate_account";

    fn sample() -> Self {
        Self {
            link: sample_link("activate"),
            asked_at: SAMPLE_TIME,
            lifetime: 30 * 60,
        }
    }
}

impl Letter for ResetPassword {
    const TEMPLATE: &'static str = "reset_password";

    fn sample() -> Self {
        Self {
            link: sample_link("reset-password"),
            asked_at: SAMPLE_TIME,
            lifetime: 30 * 60,
        }
    }
}

impl Letter for PasswordChanged {
    const TEMPLATE: &'static str = "password_changed";

    fn sample() -> Self {
        Self {
            changed_at: SAMPLE_TIME,
            forgot_url: "https://example.com/forgot-password".into(),
        }
    }
}

impl Letter for AlreadyRegistered {
    const TEMPLATE: &'static str = "already_registered";

    fn sample() -> Self {
        Self {
            asked_at: SAMPLE_TIME,
            login_url: "https://example.com/login".into(),
            forgot_url: "https://example.com/forgot-password".into(),
        }
    }
}

impl Letter for Welcome {
    const TEMPLATE: &'static str = "welcome";

    fn sample() -> Self {
        Self {
            login_url: "https://example.com/login".into(),
        }
    }
}

impl Letter for RefreshReuseDetected {
    const TEMPLATE: &'static str = "refresh_reuse_detected";

    fn sample() -> Self {
        Self {
            noticed_at: SAMPLE_TIME,
            forgot_url: "https://example.com/forgot-password".into(),
        }
    }
}

impl Letter for ConfirmEmail {
    const TEMPLATE: &'static str = "confirm_email";

    fn sample() -> Self {
        Self {
            link: sample_link("confirm-email"),
            asked_at: SAMPLE_TIME,
            lifetime: 30 * 60,
        }
    }
}

impl Letter for EmailChangeAsked {
    const TEMPLATE: &'static str = "email_change_asked";

    fn sample() -> Self {
        Self {
            new_email: "a***@e***.org".into(),
            asked_at: SAMPLE_TIME,
            forgot_url: "https://example.com/forgot-password".into(),
        }
    }
}

impl Letter for EmailChanged {
    const TEMPLATE: &'static str = "email_changed";

    fn sample() -> Self {
        Self {
            old_email: "a***@e***.com".into(),
            new_email: "a***@e***.org".into(),
            changed_at: SAMPLE_TIME,
        }
    }
}

impl Letter for Invitation {
    const TEMPLATE: &'static str = "invitation";

    fn sample() -> Self {
        Self {
            link: sample_link("invitation"),
            invited_at: SAMPLE_TIME,
            lifetime: 7 * 86_400,
        }
    }
}

impl Letter for NewDevice {
    const TEMPLATE: &'static str = "new_device";

    fn sample() -> Self {
        Self {
            app: "Firefox".into(),
            system: "Linux".into(),
            network: "192.0.2.0/24".into(),
            at: SAMPLE_TIME,
            account_url: "https://example.com/account".into(),
            forgot_url: "https://example.com/forgot-password".into(),
        }
    }
}

impl Letter for Notification {
    const TEMPLATE: &'static str = "notification";

    fn sample() -> Self {
        Self {
            title: "Your order is on its way".into(),
            message: "Order 1042 left our warehouse this morning.\n\nIt should reach you in two days. \
                      The courier calls an hour before."
                .into(),
        }
    }
}
