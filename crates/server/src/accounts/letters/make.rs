//! An intent becomes a letter when it is sent: the address is read, the token is made.

use futures_util::future::BoxFuture;
use gatepost_mail::{About, AccountIntent, AccountLetters, MailError, Resolution, Resolved};
use gatepost_storage::{Timestamp, Tx, email_changes, registrations};
use gatepost_tokens::{Jti, Minted, NewToken, TokenService};
use serde::Deserialize;
use serde_json::{Map, Value};
use uuid::Uuid;

use super::news::{self, News, Places};
use super::{Asked, LinkLetter, NEWS_WORTH_SENDING, Side, reader};
use crate::app::App;
use crate::config::Links;

/// Makes the letters when they are sent.
#[derive(Debug, Clone)]
pub struct Letters {
    tokens: TokenService,
    links: Links,
    places: Places,
}

impl Letters {
    /// With the links of this installation.
    pub fn new(app: &App) -> Self {
        let page = |path| app.config.http.public_url.join(path);
        Self {
            tokens: app.tokens.clone(),
            links: app.config.links.clone(),
            places: Places {
                login: page("/login"),
                forgot: page("/forgot-password"),
                account: page("/account"),
            },
        }
    }

    async fn make(
        &self,
        tx: &mut Tx<'_>,
        intent: &AccountIntent,
        message: Uuid,
    ) -> Result<Resolution, MailError> {
        let asked = Asked::deserialize(&intent.data)?;
        let at = jiff::Timestamp::from_microsecond(asked.at.as_micros()).map_err(account)?;
        let reader = match reader::find(tx, intent, &asked).await? {
            Ok(reader) => reader,
            Err(reason) => return Ok(Resolution::Skip(reason.to_owned())),
        };
        let letter = LinkLetter::named(&intent.letter);
        let data = if let Some(letter) = letter {
            if self.is_void(tx, letter, intent, &reader.id).await? {
                return Ok(Resolution::Skip(
                    "its link would be dead on arrival: older links were voided meanwhile".to_owned(),
                ));
            }
            let minted = self.mint(tx, letter, intent, &asked, message, &reader.id).await?;
            letter.data(&self.links, &minted, at)?
        } else if let Some(news) = News::named(&intent.letter) {
            match news::data(&self.places, tx, news, &asked, at).await? {
                Some(data) => data,
                None => return Ok(Resolution::Skip("what it would tell is forgotten".to_owned())),
            }
        } else {
            let unknown = format!("no account letter is called {:?}", intent.letter);
            return Ok(Resolution::Skip(unknown));
        };
        Ok(Resolution::Send(Resolved {
            to: reader.email,
            data,
            locale: Some(reader.locale),
        }))
    }

    /// The password was changed, or everything revoked, while the letter waited.
    async fn is_void(
        &self,
        tx: &mut Tx<'_>,
        letter: LinkLetter,
        intent: &AccountIntent,
        subject: &str,
    ) -> Result<bool, MailError> {
        let Some(generation) = intent.generation else {
            return Ok(false);
        };
        let void = letter.is_void(&self.tokens, tx, subject, generation).await;
        void.map_err(account)
    }

    /// The token's id follows from the letter's, so that a twin of the letter is the same letter and only one
    /// of the two works.
    async fn mint(
        &self,
        tx: &mut Tx<'_>,
        letter: LinkLetter,
        intent: &AccountIntent,
        asked: &Asked,
        message: Uuid,
        subject: &str,
    ) -> Result<Minted, MailError> {
        let jti = Jti::derived(self.tokens.tokens().keys(), "mail", message.as_bytes());
        let mut extra = Map::new();
        if let Some(change) = asked.change {
            extra.insert("change".to_owned(), Value::from(change.to_string()));
        }
        let mut new = NewToken::new(subject).extra(extra).jti(jti);
        if let Some(generation) = intent.generation {
            new = new.generation(generation);
        }
        if let Some(until) = intent.expires_at {
            let lifetime = self
                .tokens
                .tokens()
                .purpose_named(letter.purpose())
                .map_or(letter.lifetime(), |spec| spec.lifetime);
            new = new.keep_until((until + lifetime).as_secs());
        }
        let minted = self.tokens.create_named_in(tx, letter.purpose(), new).await;
        minted.map_err(account)
    }

    /// The same letter, asked for again now by somebody who knows only whom it was about.
    async fn again(
        &self,
        tx: &mut Tx<'_>,
        letter: &str,
        about: &About,
        locale: &str,
        asked_at: Timestamp,
    ) -> Result<Option<AccountIntent>, MailError> {
        let mut asked = Asked::at(asked_at);
        let link = LinkLetter::named(letter);
        match (about, link) {
            (About::Registration(id), _) => {
                if let Some(row) = registrations::get(tx, *id).await? {
                    asked = Asked::at(row.requested_at);
                }
            }
            (About::User(id), Some(LinkLetter::ConfirmEmail)) => {
                let Some(change) = email_changes::newest_waiting(tx, id).await? else {
                    return Ok(None);
                };
                asked = Asked::at(change.requested_at).about(change.id).to(Side::New);
            }
            (About::User(_), _) => {}
        }
        if link.is_none() && !News::named(letter).is_some_and(News::says_only_when) {
            return Ok(None);
        }
        let generation = match link {
            Some(_) => Some(self.tokens.next_generation_in(tx).await.map_err(account)?),
            None => None,
        };
        let worth = link.map_or(NEWS_WORTH_SENDING, LinkLetter::worth_sending);
        let intent = AccountIntent {
            letter: letter.to_owned(),
            about: about.clone(),
            generation,
            expires_at: Some(tx.now() + worth),
            locale: locale.to_owned(),
            replaces_older: link.is_some(),
            data: serde_json::to_value(&asked)?,
        };
        // Whoever is gone meanwhile is told nothing.
        Ok(reader::find(tx, &intent, &asked).await?.ok().map(|_| intent))
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
            let (Some(generation), Some(letter)) = (intent.generation, LinkLetter::named(&intent.letter))
            else {
                return Ok(());
            };
            let subject = match &intent.about {
                About::User(id) => id.clone(),
                About::Registration(id) => id.to_string(),
            };
            let raised = letter.raise(&self.tokens, tx, &subject, generation).await;
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
        Box::pin(self.again(tx, letter, about, locale, asked_at))
    }
}

pub(super) fn account(error: impl std::error::Error + Send + Sync + 'static) -> MailError {
    MailError::Account(Box::new(error))
}
