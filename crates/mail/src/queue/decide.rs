//! What a person decides about a letter: to take it back, or to send it again.

use gatepost_storage::dead_letters::{self, DeadLetterRow};
use gatepost_storage::deliveries::{self, DeliveryRow, NewDelivery};
use gatepost_storage::{Timestamp, Tx, delivery_decisions, delivery_events, new_id, outbox};
use uuid::Uuid;

use super::enqueue::place;
use super::settings::MAIL_REQUESTS_QUEUE;
use super::{About, AccountLetters, MailError, Mailer, QueuedLetter, is_ours};
use crate::EmailAddress;
use crate::wire::MailRequest;

/// Letters that one transaction takes back at most.
const BATCH: i64 = 200;

/// Why a decision about a letter cannot be carried out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Declined {
    /// There is no such delivery, or no longer.
    #[error("there is no delivery of that id")]
    NoSuchDelivery,
    /// It still is on its way: nothing is to be sent again.
    #[error("it is {0}: it goes out by itself, and a second one would be a second letter")]
    UnderWay(String),
    /// It cannot be taken back any more.
    #[error("it is {0}: only letters that wait or are put off can be cancelled")]
    TooLate(String),
    /// Its content is gone.
    #[error(
        "its content was erased when it became {0}, so there is nothing to send again: ask for the letter anew"
    )]
    Erased(String),
    /// What was asked for is no letter, and stays none.
    #[error("what was asked for is no letter: {0}; ask for it anew")]
    Unreadable(String),
    /// Its content lies among the dead letters of a broker, out of reach of this transaction.
    #[error(
        "its content lies among the dead letters of {0} at the broker: put it back from there (queue replay)"
    )]
    AtTheBroker(String),
    /// It is no longer worth sending.
    #[error("it was worth sending until {0} only")]
    Expired(Timestamp),
    /// It was sent again before.
    #[error("it was sent again already, as {0}")]
    AlreadyResent(Uuid),
    /// Whoever makes account letters has nothing to tell any more.
    #[error("this account letter has nobody to tell or nothing to say any more")]
    NothingToTell,
}

impl Mailer {
    /// Takes back a letter that nobody began to send or that is put off. Its content is erased.
    pub async fn cancel_in(&self, tx: &mut Tx<'_>, id: Uuid, by: &str) -> Result<(), MailError> {
        let row = deliveries::get(tx, id).await?.ok_or(Declined::NoSuchDelivery)?;
        if self.cancel_row(tx, id, &row.queue, by).await? {
            return Ok(());
        }
        // Somebody was faster: say what they made of it.
        let row = deliveries::get(tx, id).await?.ok_or(Declined::NoSuchDelivery)?;
        Err(Declined::TooLate(row.state).into())
    }

    /// Takes back letters of a template, at most 200 at a time; how many.
    pub async fn cancel_some_in(&self, tx: &mut Tx<'_>, template: &str, by: &str) -> Result<u64, MailError> {
        let mut cancelled = 0;
        for (id, queue) in delivery_decisions::cancellable(tx, template, BATCH).await? {
            cancelled += u64::from(self.cancel_row(tx, id, &queue, by).await?);
        }
        Ok(cancelled)
    }

    /// How many letters of a template could be taken back.
    pub async fn cancellable(&self, template: &str) -> Result<i64, MailError> {
        let template = template.to_owned();
        let count = self.store().read("count_cancellable", move |tx| {
            let template = template.clone();
            Box::pin(async move { delivery_decisions::count_cancellable(tx, &template).await })
        });
        Ok(count.await?)
    }

    async fn cancel_row(&self, tx: &mut Tx<'_>, id: Uuid, queue: &str, by: &str) -> Result<bool, MailError> {
        let reason = format!("by {by}");
        if !delivery_decisions::cancel(tx, id, &reason).await? {
            return Ok(false);
        }
        delivery_events::note(tx, id, "cancelled", Some(&reason)).await?;
        // Where somebody has the message in hand, the ledger keeps it from being sent.
        outbox::cancel(tx, queue, id).await?;
        Ok(true)
    }

    /// Sends a letter again that has ended: a new delivery with a `Message-ID` of its own, whose id is given.
    ///
    /// A letter must still lie among the dead letters, where its content is, and leaves them with this. An account
    /// letter is asked for again, with a link that is made when it is sent.
    pub async fn resend_in(
        &self,
        tx: &mut Tx<'_>,
        id: Uuid,
        accounts: &dyn AccountLetters,
        by: &str,
    ) -> Result<Uuid, MailError> {
        let row = deliveries::get(tx, id).await?.ok_or(Declined::NoSuchDelivery)?;
        if matches!(row.state.as_str(), "waiting" | "sending" | "deferred") {
            return Err(Declined::UnderWay(row.state).into());
        }
        if let Some(already) = row.resent_as {
            return Err(Declined::AlreadyResent(already).into());
        }
        let again = match row.about.as_deref().and_then(About::from_key) {
            Some(about) => self.renew(tx, &row, &about, accounts).await?,
            None => self.repeat(tx, &row).await?,
        };
        for queue in [row.queue.as_str(), MAIL_REQUESTS_QUEUE] {
            dead_letters::discard(tx, queue, id).await?;
        }
        if !delivery_decisions::set_resent(tx, id, again).await? {
            return Err(Declined::AlreadyResent(again).into());
        }
        delivery_events::note(tx, id, "resent", Some(&format!("as {again} by {by}"))).await?;
        delivery_events::note(tx, again, "repeats", Some(&format!("{id}, by {by}"))).await?;
        Ok(again)
    }

    async fn renew(
        &self,
        tx: &mut Tx<'_>,
        row: &DeliveryRow,
        about: &About,
        accounts: &dyn AccountLetters,
    ) -> Result<Uuid, MailError> {
        let locale = row.locale.as_deref().unwrap_or(&self.settings().default_locale);
        let intent = accounts
            .renew(tx, &row.template, about, locale, row.created_at)
            .await?;
        let intent = intent.ok_or(Declined::NothingToTell)?;
        self.enqueue_intent(tx, &intent).await
    }

    async fn repeat(&self, tx: &mut Tx<'_>, row: &DeliveryRow) -> Result<Uuid, MailError> {
        if let Some(asked) = dead_letters::get(tx, MAIL_REQUESTS_QUEUE, row.id).await? {
            // Asked for by SQL, and never made: what was wrong may have been put right.
            let request =
                MailRequest::parse(&asked.body).map_err(|error| Declined::Unreadable(error.to_string()))?;
            let id = new_id(tx.now());
            self.enqueue_request_as(tx, id, &request).await?;
            return Ok(id);
        }
        let dead = dead_letters::get(tx, &row.queue, row.id).await?;
        let dead = dead.ok_or_else(|| {
            if row.dead == 1 && !is_ours(&row.queue) {
                Declined::AtTheBroker(row.queue.clone())
            } else {
                Declined::Erased(row.state.clone())
            }
        })?;
        let now = tx.now();
        if let Some(until) = row.expires_at.filter(|until| *until <= now) {
            return Err(Declined::Expired(until).into());
        }
        let (to, request) = self.content(&row.queue, &dead)?;
        let id = new_id(now);
        let hash = self.sealer().address_hash(&to);
        let new = NewDelivery {
            id,
            message_id: id,
            template: &row.template,
            locale: row.locale.as_deref(),
            queue: place(&request).0,
            about: None,
            recipient: Some(&to.masked()),
            recipient_hash: Some(&hash),
            expires_at: row.expires_at,
        };
        self.queue_letter(tx, &new, &to, &request).await?;
        Ok(id)
    }

    /// What a dead letter says, and to whom.
    fn content(&self, queue: &str, dead: &DeadLetterRow) -> Result<(EmailAddress, MailRequest), MailError> {
        let unreadable = || Declined::Erased("unreadable".to_owned());
        if let Ok(letter) = serde_json::from_slice::<QueuedLetter>(&dead.body) {
            let request = letter.open(self.sealer())?;
            return Ok((letter.to, request));
        }
        if is_ours(queue) {
            return Err(unreadable().into());
        }
        let request = MailRequest::parse_wire(&dead.body).map_err(|_| unreadable())?;
        Ok((request.to.clone(), request))
    }
}
