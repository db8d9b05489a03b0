//! The letters of an account. What waits in the queue is an intent: no token, no address. Both are looked up
//! and made when the letter is sent, so that a link's life starts then.

mod make;

use std::time::Duration;

use gatepost_mail::letter::{
    ActivateAccount, AlreadyRegistered, PasswordChanged, RefreshReuseDetected, ResetPassword, Welcome,
};
use gatepost_mail::{About, AccountIntent, Letter};
use gatepost_storage::registrations::RegistrationRow;
use gatepost_storage::users::UserRow;
use gatepost_storage::{Timestamp, Tx};
use serde::{Deserialize, Serialize};
use serde_json::json;

pub use self::make::Letters;
use crate::app::App;
use crate::http::Problem;

/// After this, an activation letter is no longer worth sending.
const ACTIVATION_WORTH_SENDING: Duration = Duration::from_secs(24 * 3_600);
/// After this, a reset letter is no longer worth sending.
const RESET_WORTH_SENDING: Duration = Duration::from_secs(2 * 3_600);
/// News that is older than this is not news.
const NEWS_WORTH_SENDING: Duration = Duration::from_secs(7 * 86_400);

/// What the letter's page and text say.
#[derive(Debug, Serialize, Deserialize)]
struct Asked {
    at: Timestamp,
}

/// A letter without a link that does anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum News {
    /// Somebody tried to register an address that has an account.
    AlreadyRegistered,
    /// The account is active.
    Welcome,
    /// The password was changed.
    PasswordChanged,
    /// A refresh token that had been replaced came again: the session was ended.
    RefreshReuse,
}

impl News {
    const ALL: [Self; 4] = [
        Self::AlreadyRegistered,
        Self::Welcome,
        Self::PasswordChanged,
        Self::RefreshReuse,
    ];

    const fn template(self) -> &'static str {
        match self {
            Self::AlreadyRegistered => AlreadyRegistered::TEMPLATE,
            Self::Welcome => Welcome::TEMPLATE,
            Self::PasswordChanged => PasswordChanged::TEMPLATE,
            Self::RefreshReuse => RefreshReuseDetected::TEMPLATE,
        }
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
    let asked = registration.requested_at;
    let worth = asked_at + ACTIVATION_WORTH_SENDING;
    link(
        app,
        tx,
        ActivateAccount::TEMPLATE,
        about,
        &registration.locale,
        asked,
        worth,
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
    let worth = asked_at + ACTIVATION_WORTH_SENDING;
    let about = About::User(user.id.to_string());
    link(
        app,
        tx,
        ActivateAccount::TEMPLATE,
        about,
        &user.locale,
        asked_at,
        worth,
    )
    .await
}

/// The link to choose another password.
pub(crate) async fn password_reset(
    app: &App,
    tx: &mut Tx<'_>,
    user: &UserRow,
    asked_at: Timestamp,
) -> Result<(), Problem> {
    let worth = asked_at + RESET_WORTH_SENDING;
    let about = About::User(user.id.to_string());
    link(
        app,
        tx,
        ResetPassword::TEMPLATE,
        about,
        &user.locale,
        asked_at,
        worth,
    )
    .await
}

async fn link(
    app: &App,
    tx: &mut Tx<'_>,
    letter: &str,
    about: About,
    locale: &str,
    asked_at: Timestamp,
    worth_sending_until: Timestamp,
) -> Result<(), Problem> {
    let intent = AccountIntent {
        letter: letter.to_owned(),
        about,
        generation: Some(app.tokens.next_generation_in(tx).await?),
        expires_at: Some(worth_sending_until),
        locale: locale.to_owned(),
        replaces_older: true,
        data: json!(Asked { at: asked_at }),
    };
    app.mailer.enqueue_intent(tx, &intent).await?;
    Ok(())
}

/// Tell the user something, in the transaction in which it happens.
pub async fn news(
    app: &App,
    tx: &mut Tx<'_>,
    news: News,
    user_id: &str,
    locale: &str,
    at: Timestamp,
) -> Result<(), Problem> {
    let intent = AccountIntent {
        letter: news.template().to_owned(),
        about: About::User(user_id.to_owned()),
        generation: None,
        expires_at: Some(at + NEWS_WORTH_SENDING),
        locale: locale.to_owned(),
        replaces_older: false,
        data: json!(Asked { at }),
    };
    app.mailer.enqueue_intent(tx, &intent).await?;
    Ok(())
}
