//! An intent becomes a letter when it is sent: the address is read, the token is made.

use futures_util::future::BoxFuture;
use gatepost_mail::letter::{
    ActivateAccount, AlreadyRegistered, PasswordChanged, RefreshReuseDetected, ResetPassword, Welcome,
};
use gatepost_mail::{
    About, AccountIntent, AccountLetters, EmailAddress, Letter, MailError, Resolution, Resolved,
};
use gatepost_storage::{Timestamp, Tx, UserId, registrations, users};
use gatepost_tokens::{Activate, ChangePassword, Jti, Minted, NewToken, Purpose, TokenService};
use serde::Deserialize;
use uuid::Uuid;

use super::{Asked, News};
use crate::app::App;
use crate::config::{LinkTemplate, Links};

/// Makes the letters when they are sent.
#[derive(Debug, Clone)]
pub struct Letters {
    tokens: TokenService,
    links: Links,
    login_url: String,
    forgot_url: String,
}

impl Letters {
    /// With the links of this installation.
    pub fn new(app: &App) -> Self {
        Self {
            tokens: app.tokens.clone(),
            links: app.config.links.clone(),
            login_url: app.config.http.public_url.join("/login"),
            forgot_url: app.config.http.public_url.join("/forgot-password"),
        }
    }

    async fn make(
        &self,
        tx: &mut Tx<'_>,
        intent: &AccountIntent,
        message: Uuid,
    ) -> Result<Resolution, MailError> {
        let Some(reader) = reader(tx, intent).await? else {
            return Ok(Resolution::Skip("there is nobody to tell any more".to_owned()));
        };
        if self.is_void(tx, intent, &reader.id).await? {
            return Ok(Resolution::Skip(
                "its link would be dead on arrival: older links were voided meanwhile".to_owned(),
            ));
        }
        let at = asked_at(intent)?;
        let data = match intent.letter.as_str() {
            ActivateAccount::TEMPLATE => {
                let minted = self.mint::<Activate>(tx, intent, message, &reader.id).await?;
                let lifetime = lifetime(&minted);
                let link = with_token(&self.links.activate, &minted);
                serde_json::to_value(ActivateAccount {
                    link: link.into(),
                    asked_at: at,
                    lifetime,
                })?
            }
            ResetPassword::TEMPLATE => {
                let minted = self
                    .mint::<ChangePassword>(tx, intent, message, &reader.id)
                    .await?;
                let lifetime = lifetime(&minted);
                let link = with_token(&self.links.reset_password, &minted);
                serde_json::to_value(ResetPassword {
                    link: link.into(),
                    asked_at: at,
                    lifetime,
                })?
            }
            other => match News::ALL.into_iter().find(|news| news.template() == other) {
                Some(news) => self.tell(news, at)?,
                None => return Ok(Resolution::Skip(format!("no account letter is called {other:?}"))),
            },
        };
        Ok(Resolution::Send(Resolved {
            to: reader.email,
            data,
            locale: Some(reader.locale),
        }))
    }

    fn tell(&self, news: News, at: jiff::Timestamp) -> Result<serde_json::Value, serde_json::Error> {
        let (login_url, forgot_url) = (self.login_url.clone(), self.forgot_url.clone());
        match news {
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
        }
    }

    /// The password was changed, or everything revoked, while the letter waited.
    async fn is_void(
        &self,
        tx: &mut Tx<'_>,
        intent: &AccountIntent,
        subject: &str,
    ) -> Result<bool, MailError> {
        let Some(generation) = intent.generation else {
            return Ok(false);
        };
        let tokens = &self.tokens;
        let void = match intent.letter.as_str() {
            ActivateAccount::TEMPLATE => tokens.is_void_in::<Activate>(tx, subject, generation).await,
            ResetPassword::TEMPLATE => tokens.is_void_in::<ChangePassword>(tx, subject, generation).await,
            _ => Ok(false),
        };
        void.map_err(account)
    }

    /// The token's id follows from the letter's, so that a twin of the letter is the same letter and only one
    /// of the two works.
    async fn mint<P: Purpose<Extra = ()>>(
        &self,
        tx: &mut Tx<'_>,
        intent: &AccountIntent,
        message: Uuid,
        subject: &str,
    ) -> Result<Minted, MailError> {
        let jti = Jti::derived(self.tokens.tokens().keys(), "mail", message.as_bytes());
        let mut new = NewToken::new(subject).jti(jti);
        if let Some(generation) = intent.generation {
            new = new.generation(generation);
        }
        if let Some(until) = intent.expires_at {
            let lifetime = self
                .tokens
                .tokens()
                .purpose_named(P::NAME)
                .map_or(P::LIFETIME, |spec| spec.lifetime);
            new = new.keep_until((until + lifetime).as_secs());
        }
        self.tokens.create_in::<P>(tx, new).await.map_err(account)
    }
}

impl AccountLetters for Letters {
    fn resolve<'a>(
        &'a self,
        tx: &'a mut Tx<'_>,
        intent: &'a AccountIntent,
        message_id: Uuid,
    ) -> BoxFuture<'a, Result<Resolution, MailError>> {
        Box::pin(self.make(tx, intent, message_id))
    }

    /// Now that this link is on its way, the older ones die.
    fn sent<'a>(
        &'a self,
        tx: &'a mut Tx<'_>,
        intent: &'a AccountIntent,
        _message_id: Uuid,
    ) -> BoxFuture<'a, Result<(), MailError>> {
        Box::pin(async move {
            let Some(generation) = intent.generation else {
                return Ok(());
            };
            let subject = match &intent.about {
                About::User(id) => id.clone(),
                About::Registration(id) => id.to_string(),
            };
            let raised = match intent.letter.as_str() {
                ActivateAccount::TEMPLATE => {
                    self.tokens
                        .raise_generation_in::<Activate>(tx, &subject, generation)
                        .await
                }
                ResetPassword::TEMPLATE => {
                    self.tokens
                        .raise_generation_in::<ChangePassword>(tx, &subject, generation)
                        .await
                }
                _ => return Ok(()),
            };
            raised.map(drop).map_err(account)
        })
    }

    fn renew<'a>(
        &'a self,
        tx: &'a mut Tx<'_>,
        letter: &'a str,
        about: &'a About,
        locale: &'a str,
        asked_at: Timestamp,
    ) -> BoxFuture<'a, Result<Option<AccountIntent>, MailError>> {
        Box::pin(async move {
            let worth = match letter {
                ActivateAccount::TEMPLATE => Some(super::ACTIVATION_WORTH_SENDING),
                ResetPassword::TEMPLATE => Some(super::RESET_WORTH_SENDING),
                _ => None,
            };
            let generation = match worth {
                Some(_) => Some(self.tokens.next_generation_in(tx).await.map_err(account)?),
                None => None,
            };
            let registered = match about {
                About::Registration(id) => registrations::get(tx, *id).await?.map(|row| row.requested_at),
                About::User(_) => None,
            };
            let intent = AccountIntent {
                letter: letter.to_owned(),
                about: about.clone(),
                generation,
                expires_at: Some(tx.now() + worth.unwrap_or(super::NEWS_WORTH_SENDING)),
                locale: locale.to_owned(),
                replaces_older: worth.is_some(),
                data: serde_json::to_value(Asked {
                    at: registered.unwrap_or(asked_at),
                })?,
            };
            // Whoever is gone meanwhile is told nothing.
            Ok(reader(tx, &intent).await?.map(|_| intent))
        })
    }
}

/// Whom a letter goes to.
struct Reader {
    id: String,
    email: EmailAddress,
    locale: String,
}

async fn reader(tx: &mut Tx<'_>, intent: &AccountIntent) -> Result<Option<Reader>, MailError> {
    let found = match &intent.about {
        About::Registration(id) => registrations::get(tx, *id)
            .await?
            .map(|row| (UserId::from(row.id), row.email, row.locale)),
        About::User(id) => match id.parse() {
            Ok(id) => users::get(tx, id)
                .await?
                .map(|row| (row.id, row.email, row.locale)),
            Err(_) => None,
        },
    };
    found
        .map(|(id, email, locale)| {
            let email = email.parse().map_err(account)?;
            Ok(Reader {
                id: id.to_string(),
                email,
                locale,
            })
        })
        .transpose()
}

fn asked_at(intent: &AccountIntent) -> Result<jiff::Timestamp, MailError> {
    let asked = Asked::deserialize(&intent.data)?;
    jiff::Timestamp::from_microsecond(asked.at.as_micros()).map_err(account)
}

fn with_token(template: &LinkTemplate, minted: &Minted) -> String {
    template.with_token(&minted.raw)
}

fn lifetime(minted: &Minted) -> u64 {
    u64::try_from(minted.expires_at - minted.issued_at).unwrap_or_default()
}

fn account(error: impl std::error::Error + Send + Sync + 'static) -> MailError {
    MailError::Account(Box::new(error))
}
