//! The letters of an account. What waits in the queue is an intent: no token, no address. Both are looked up
//! and made when the letter is sent, so that a link's life starts then.

mod link;
mod make;
mod news;
mod reader;

use gatepost_mail::{About, AccountIntent};
use gatepost_storage::email_changes::EmailChangeRow;
use gatepost_storage::registrations::RegistrationRow;
use gatepost_storage::users::UserRow;
use gatepost_storage::{Timestamp, Tx};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

pub(crate) use self::link::LinkLetter;
pub use self::make::Letters;
pub use self::news::{NEWS_WORTH_SENDING, News, email_changed, news};
pub(crate) use self::news::{email_change_asked, new_device};
use crate::app::App;
use crate::http::Problem;

/// What an intent says besides: ids and times, no address.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Asked {
    at: Timestamp,
    /// The change of an address that it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    change: Option<Uuid>,
    /// Which of a change's two addresses it goes to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    to: Option<Side>,
    /// The session that it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    session: Option<Uuid>,
}

/// One of the two addresses of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Side {
    Old,
    New,
}

impl Asked {
    /// At that time.
    pub fn at(at: Timestamp) -> Self {
        Self {
            at,
            change: None,
            to: None,
            session: None,
        }
    }

    fn about(mut self, change: Uuid) -> Self {
        self.change = Some(change);
        self
    }

    fn of_session(mut self, session: Uuid) -> Self {
        self.session = Some(session);
        self
    }

    fn to(mut self, side: Side) -> Self {
        self.to = Some(side);
        self
    }
}

/// The link of a pending registration.
pub(crate) async fn activation(
    app: &App,
    tx: &mut Tx<'_>,
    registration: &RegistrationRow,
    asked_at: Timestamp,
) -> Result<(), Problem> {
    let about = About::Registration(registration.id);
    // What the reader has to recognise is the registration, not the wish to have its letter again.
    let asked = Asked::at(registration.requested_at);
    let until = LinkLetter::Activate.worth_until(asked_at);
    link(
        app,
        tx,
        LinkLetter::Activate,
        about,
        &registration.locale,
        asked,
        until,
    )
    .await
}

/// The link of an account that was made for somebody and never confirmed.
pub(crate) async fn activation_of_user(
    app: &App,
    tx: &mut Tx<'_>,
    user: &UserRow,
    asked_at: Timestamp,
) -> Result<(), Problem> {
    link_of_user(app, tx, LinkLetter::Activate, user, Asked::at(asked_at)).await
}

/// The link to choose another password.
pub(crate) async fn password_reset(
    app: &App,
    tx: &mut Tx<'_>,
    user: &UserRow,
    asked_at: Timestamp,
) -> Result<(), Problem> {
    link_of_user(app, tx, LinkLetter::ResetPassword, user, Asked::at(asked_at)).await
}

/// The link that confirms another address of an account; it goes to that address.
pub(crate) async fn confirm_email(
    app: &App,
    tx: &mut Tx<'_>,
    user: &UserRow,
    change: &EmailChangeRow,
) -> Result<(), Problem> {
    let asked = Asked::at(change.requested_at).about(change.id).to(Side::New);
    link_of_user(app, tx, LinkLetter::ConfirmEmail, user, asked).await
}

/// The link of an account that was made for somebody, to be opened by choosing its password.
pub(crate) async fn invitation(
    app: &App,
    tx: &mut Tx<'_>,
    user: &UserRow,
    asked_at: Timestamp,
) -> Result<(), Problem> {
    link_of_user(app, tx, LinkLetter::Invitation, user, Asked::at(asked_at)).await
}

async fn link_of_user(
    app: &App,
    tx: &mut Tx<'_>,
    letter: LinkLetter,
    user: &UserRow,
    asked: Asked,
) -> Result<(), Problem> {
    let (about, until) = (About::User(user.id.to_string()), letter.worth_until(asked.at));
    link(app, tx, letter, about, &user.locale, asked, until).await
}

async fn link(
    app: &App,
    tx: &mut Tx<'_>,
    letter: LinkLetter,
    about: About,
    locale: &str,
    asked: Asked,
    worth_sending_until: Timestamp,
) -> Result<(), Problem> {
    let intent = AccountIntent {
        letter: letter.template().to_owned(),
        about,
        generation: Some(app.tokens.next_generation_in(tx).await?),
        expires_at: Some(worth_sending_until),
        locale: locale.to_owned(),
        replaces_older: true,
        data: serde_json::to_value(asked).map_err(Problem::internal)?,
    };
    app.mailer.enqueue_intent(tx, &intent).await?;
    Ok(())
}
