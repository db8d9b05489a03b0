//! Letters without a link that does anything: they tell what happened.

use std::time::Duration;

use gatepost_mail::letter::{
    AlreadyRegistered, EmailChangeAsked, EmailChanged, NewDevice, PasswordChanged, RefreshReuseDetected,
    Welcome,
};
use gatepost_mail::{About, AccountIntent, EmailAddress, Letter, MailError};
use gatepost_storage::email_changes::EmailChangeRow;
use gatepost_storage::{Timestamp, Tx, email_changes, sessions};
use serde_json::Value;
use uuid::Uuid;

use super::{Asked, Side};
use crate::app::App;
use crate::auth::device::Device;
use crate::http::Problem;

/// News that is older than this is not news.
pub const NEWS_WORTH_SENDING: Duration = Duration::from_secs(7 * 86_400);

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
    /// Somebody with the password asked for another address.
    EmailChangeAsked,
    /// The account has another address.
    EmailChanged,
    /// Somebody logged in from a device that was not known.
    NewDevice,
}

impl News {
    const ALL: [Self; 7] = [
        Self::AlreadyRegistered,
        Self::Welcome,
        Self::PasswordChanged,
        Self::RefreshReuse,
        Self::EmailChangeAsked,
        Self::EmailChanged,
        Self::NewDevice,
    ];

    /// The one with that template.
    pub(super) fn named(template: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|news| news.template() == template)
    }

    const fn template(self) -> &'static str {
        match self {
            Self::AlreadyRegistered => AlreadyRegistered::TEMPLATE,
            Self::Welcome => Welcome::TEMPLATE,
            Self::PasswordChanged => PasswordChanged::TEMPLATE,
            Self::RefreshReuse => RefreshReuseDetected::TEMPLATE,
            Self::EmailChangeAsked => EmailChangeAsked::TEMPLATE,
            Self::EmailChanged => EmailChanged::TEMPLATE,
            Self::NewDevice => NewDevice::TEMPLATE,
        }
    }

    /// Whether it can be told anew by whoever knows only whom it was about.
    pub(super) const fn says_only_when(self) -> bool {
        !matches!(
            self,
            Self::EmailChangeAsked | Self::EmailChanged | Self::NewDevice
        )
    }
}

/// Where letters of this kind lead.
#[derive(Debug, Clone)]
pub(super) struct Places {
    pub(super) login: String,
    pub(super) forgot: String,
    pub(super) account: String,
}

/// What the template shows; `None` if what it would tell is forgotten.
pub(super) async fn data(
    places: &Places,
    tx: &mut Tx<'_>,
    news: News,
    asked: &Asked,
    at: jiff::Timestamp,
) -> Result<Option<Value>, MailError> {
    let (login_url, forgot_url) = (places.login.clone(), places.forgot.clone());
    let data = match news {
        News::AlreadyRegistered => serde_json::to_value(AlreadyRegistered {
            asked_at: at,
            login_url,
            forgot_url,
        }),
        News::Welcome => serde_json::to_value(Welcome { login_url }),
        News::PasswordChanged => serde_json::to_value(PasswordChanged {
            changed_at: at,
            forgot_url,
        }),
        News::RefreshReuse => serde_json::to_value(RefreshReuseDetected {
            noticed_at: at,
            forgot_url,
        }),
        News::EmailChangeAsked => {
            let Some(change) = change_of(tx, asked).await? else {
                return Ok(None);
            };
            serde_json::to_value(EmailChangeAsked {
                new_email: masked(&change.email),
                asked_at: at,
                forgot_url,
            })
        }
        News::EmailChanged => {
            let Some(change) = change_of(tx, asked).await? else {
                return Ok(None);
            };
            serde_json::to_value(EmailChanged {
                old_email: masked(&change.old_email),
                new_email: masked(&change.email),
                changed_at: at,
            })
        }
        News::NewDevice => {
            let session = match asked.session {
                Some(id) => sessions::get(tx, id).await?,
                None => None,
            };
            let Some(session) = session else {
                return Ok(None);
            };
            let device = session.user_agent.as_deref().map(Device::of).unwrap_or_default();
            serde_json::to_value(NewDevice {
                app: device.app.unwrap_or_default().to_owned(),
                system: device.system.unwrap_or_default().to_owned(),
                network: session.ip.unwrap_or_default(),
                at,
                account_url: places.account.clone(),
                forgot_url,
            })
        }
    };
    Ok(Some(data?))
}

/// The change of an address that a letter is about.
pub(super) async fn change_of(tx: &mut Tx<'_>, asked: &Asked) -> Result<Option<EmailChangeRow>, MailError> {
    Ok(match asked.change {
        Some(id) => email_changes::get(tx, id).await?,
        None => None,
    })
}

fn masked(address: &str) -> String {
    address
        .parse::<EmailAddress>()
        .map_or_else(|_| "***".to_owned(), |address| address.masked())
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
    tell(app, tx, news, user_id, locale, Asked::at(at)).await
}

/// Somebody asked for a change: told to the address that the account has.
pub(crate) async fn email_change_asked(
    app: &App,
    tx: &mut Tx<'_>,
    locale: &str,
    change: &EmailChangeRow,
) -> Result<(), Problem> {
    let asked = Asked::at(change.requested_at).about(change.id).to(Side::Old);
    tell(app, tx, News::EmailChangeAsked, &change.subject, locale, asked).await
}

/// The account has another address: told to both.
pub async fn email_changed(
    app: &App,
    tx: &mut Tx<'_>,
    locale: &str,
    change: &EmailChangeRow,
) -> Result<(), Problem> {
    for side in [Side::Old, Side::New] {
        let asked = Asked::at(tx.now()).about(change.id).to(side);
        tell(app, tx, News::EmailChanged, &change.subject, locale, asked).await?;
    }
    Ok(())
}

/// Somebody logged in from a device that was not known, by opening this session.
pub(crate) async fn new_device(
    app: &App,
    tx: &mut Tx<'_>,
    user_id: &str,
    locale: &str,
    session: Uuid,
) -> Result<(), Problem> {
    let asked = Asked::at(tx.now()).of_session(session);
    tell(app, tx, News::NewDevice, user_id, locale, asked).await
}

/// As [`news`], of something that has more to it than its time.
async fn tell(
    app: &App,
    tx: &mut Tx<'_>,
    news: News,
    user_id: &str,
    locale: &str,
    asked: Asked,
) -> Result<(), Problem> {
    let intent = AccountIntent {
        letter: news.template().to_owned(),
        about: About::User(user_id.to_owned()),
        generation: None,
        expires_at: Some(asked.at + NEWS_WORTH_SENDING),
        locale: locale.to_owned(),
        replaces_older: false,
        data: serde_json::to_value(asked).map_err(Problem::internal)?,
    };
    app.mailer.enqueue_intent(tx, &intent).await?;
    Ok(())
}
