//! The steps, in the order in which they are walked.

mod join;
mod leave;
mod password;
mod reset;
mod session;

use super::report::Seen;
use super::traveller::Traveller;

type Step = fn(&mut Traveller) -> Seen;

/// The whole journey.
pub(super) const ALL: &[(&str, Step)] = &[
    ("register", join::register),
    ("read the letter", join::letter),
    ("open its link, GET and HEAD", join::open),
    ("still nothing has changed", join::unchanged),
    ("press its button", join::press),
    ("press it again", join::press_again),
    ("log in", session::login),
    ("read /me", session::me),
    ("refresh", session::refresh),
    ("lose an answer, ask again", session::ask_again),
    ("replay an old refresh token", session::replay),
    ("read the warning", session::warning),
    ("log in anew, change the password", password::change),
    ("the old tokens are refused", password::old_tokens),
    ("read the notice", password::notice),
    ("ask for a reset", reset::forgot),
    ("open its link, GET and HEAD", reset::open),
    ("try a weak password", reset::weak),
    ("the link is still good: reset", reset::reset),
    ("the old password is refused", reset::old_password),
    ("log in twice, list the sessions", leave::sessions),
    ("log out everywhere", leave::everywhere),
    ("every token is refused", leave::refused),
    ("delete the account", leave::delete),
];
