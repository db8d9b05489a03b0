//! Asking for a letter, in the caller's transaction.

use std::time::Duration;

use gatepost_messaging::{Envelope, Priority};
use gatepost_storage::deliveries::{self, NewDelivery};
use gatepost_storage::{Conn, Timestamp, Tx, delivery_events, mail_keys, new_id};
use serde::Serialize;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::body::{KIND_INTENT, KIND_LETTER, sealed_letter};
use super::compose::compose;
use super::settings::{ACCOUNT_LETTERS, MAIL_BULK_QUEUE, MAIL_QUEUE};
use super::{AccountIntent, MailError, Mailer};
use crate::post::header_is_allowed;
use crate::wire::MailRequest;
use crate::{EmailAddress, Letter, PostError, Sender};

/// How long an idempotency key is remembered.
const KEY_LIFE: Duration = Duration::from_hours(24);

/// What may be said about a letter besides whom it goes to.
#[derive(Debug, Clone, Default)]
pub struct EnqueueOptions {
    /// When it is no longer worth sending. A link that is in the letter ages while it waits: say how long.
    pub expires_at: Option<Timestamp>,
    /// Asks for it once, however often the call is made.
    pub idempotency: Option<Idempotency>,
    /// Another sender.
    pub from: Option<Sender>,
    /// `X-*`, `List-*`, `References`, `In-Reply-To`.
    pub headers: Vec<(String, String)>,
}

/// A key under which the same request is taken once in 24 hours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Idempotency {
    /// Whose key it is: keys of different scopes do not meet. An API key's id, for example.
    pub scope: String,
    /// The key, as the caller sent it.
    pub key: String,
}

/// A letter that was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Enqueued {
    /// The mail's id, and the delivery's to its first recipient.
    pub id: Uuid,
    /// The same request was taken before under the same idempotency key; the id is that one's.
    pub repeated: bool,
}

impl Mailer {
    /// Asks for a letter: it exists if and only if the caller's transaction commits.
    ///
    /// `conn` is a [`Tx`] or the caller's own connection (`&mut *sqlx_transaction`). All that the letter
    /// says is sealed while it waits, and erased once it is sent. A link minted before this call ages in
    /// the queue: see [`enqueue_with`](Self::enqueue_with) and `expires_at`.
    pub async fn enqueue<'c, L: Letter>(
        &self,
        conn: impl Into<Conn<'c>>,
        to: &EmailAddress,
        locale: &str,
        letter: &L,
    ) -> Result<Enqueued, MailError> {
        self.enqueue_with(conn, to, locale, letter, EnqueueOptions::default())
            .await
    }

    /// The same, with more to say about it.
    pub async fn enqueue_with<'c, L: Letter>(
        &self,
        conn: impl Into<Conn<'c>>,
        to: &EmailAddress,
        locale: &str,
        letter: &L,
        options: EnqueueOptions,
    ) -> Result<Enqueued, MailError> {
        let serde_json::Value::Object(data) = serde_json::to_value(letter)? else {
            return Err(crate::Error::NotAnObject {
                template: L::TEMPLATE.to_owned(),
            }
            .into());
        };
        let mut request = MailRequest::of_template(to.clone(), L::TEMPLATE, data, locale.to_owned());
        request.from = options.from;
        request.headers = options.headers;
        request.expires_at = options.expires_at.map(Timestamp::as_micros);
        self.take(conn, &request, options.idempotency.as_ref()).await
    }

    /// Asks for what a request of another program says (`POST /api/mail`). Account letters cannot be
    /// asked for by name.
    pub async fn enqueue_request<'c>(
        &self,
        conn: impl Into<Conn<'c>>,
        request: &MailRequest,
        idempotency: Option<&Idempotency>,
    ) -> Result<Enqueued, MailError> {
        if ACCOUNT_LETTERS.contains(&request.template()) {
            return Err(MailError::ReservedTemplate(request.template().to_owned()));
        }
        self.take(conn, request, idempotency).await
    }

    /// The same under an id that was given away before, whose row may stand in the ledger.
    pub(crate) async fn enqueue_request_as<'c>(
        &self,
        conn: impl Into<Conn<'c>>,
        id: Uuid,
        request: &MailRequest,
    ) -> Result<(), MailError> {
        if ACCOUNT_LETTERS.contains(&request.template()) {
            return Err(MailError::ReservedTemplate(request.template().to_owned()));
        }
        self.check(request)?;
        let mut tx = self.store().join(conn)?;
        if request.expires_at.is_some_and(|at| at <= tx.now().as_micros()) {
            return Err(MailError::Expired);
        }
        self.queue_all(&mut tx, id, request).await
    }

    /// Asks for an account letter, which is made when it is sent. Gives the delivery's id.
    pub async fn enqueue_intent<'c>(
        &self,
        conn: impl Into<Conn<'c>>,
        intent: &AccountIntent,
    ) -> Result<Uuid, MailError> {
        if !self.templates().has(&intent.letter) {
            // A template that nobody has would only be found out by whoever waits for the letter.
            self.templates()
                .render_raw(&intent.letter, &intent.locale, &intent.data)?;
        }
        let mut tx = self.store().join(conn)?;
        let tx = &mut tx;
        let id = new_id(tx.now());
        let about = intent.about.key();
        let new = NewDelivery {
            id,
            message_id: id,
            template: &intent.letter,
            locale: Some(&intent.locale),
            queue: MAIL_QUEUE,
            about: Some(&about),
            recipient: None,
            recipient_hash: None,
            expires_at: intent.expires_at,
        };
        let envelope = Envelope::json(MAIL_QUEUE, KIND_INTENT, intent)?
            .id(id)
            .priority(Priority::URGENT);
        self.queue(tx, &new, with_expiry(envelope, intent.expires_at))
            .await?;
        Ok(id)
    }

    async fn take<'c>(
        &self,
        conn: impl Into<Conn<'c>>,
        request: &MailRequest,
        idempotency: Option<&Idempotency>,
    ) -> Result<Enqueued, MailError> {
        self.check(request)?;
        let mut tx = self.store().join(conn)?;
        let tx = &mut tx;
        let now = tx.now();
        if request.expires_at.is_some_and(|at| at <= now.as_micros()) {
            return Err(MailError::Expired);
        }
        let message_id = new_id(now);
        if let Some(key) = idempotency
            && let Some(first) = use_key(tx, key, request, message_id).await?
        {
            return Ok(Enqueued {
                id: first,
                repeated: true,
            });
        }
        self.queue_all(tx, message_id, request).await?;
        Ok(Enqueued {
            id: message_id,
            repeated: false,
        })
    }

    /// A delivery and a message for each recipient.
    async fn queue_all(
        &self,
        tx: &mut Tx<'_>,
        message_id: Uuid,
        request: &MailRequest,
    ) -> Result<(), MailError> {
        let queue = place(request).0;
        let now = tx.now();
        for (n, to) in request.recipients().enumerate() {
            let id = if n == 0 { message_id } else { new_id(now) };
            let hash = self.sealer().address_hash(to);
            let new = NewDelivery {
                id,
                message_id,
                template: request.template(),
                locale: request.locale.as_deref(),
                queue,
                about: None,
                recipient: Some(&to.masked()),
                recipient_hash: Some(&hash),
                expires_at: request.expires_at.map(Timestamp::from_micros),
            };
            self.queue_letter(tx, &new, to, request).await?;
        }
        Ok(())
    }

    /// Finds out now what would otherwise only be found out when it is sent.
    fn check(&self, request: &MailRequest) -> Result<(), MailError> {
        if let Some(from) = &request.from
            && !self.settings().may_be_from(&from.address)
        {
            return Err(MailError::SenderNotAllowed);
        }
        if let Some((name, _)) = request.headers.iter().find(|(name, _)| !header_is_allowed(name)) {
            return Err(PostError::Header(name.clone()).into());
        }
        if self.settings().python_wire
            && let Some(field) = request.beyond_python()
        {
            return Err(MailError::NotForPython(field));
        }
        compose(self.templates(), request, self.settings())?;
        Ok(())
    }

    /// Seals a letter for one of its recipients and queues it.
    pub(super) async fn queue_letter(
        &self,
        tx: &mut Tx<'_>,
        new: &NewDelivery<'_>,
        to: &EmailAddress,
        request: &MailRequest,
    ) -> Result<(), MailError> {
        let letter = sealed_letter(self.sealer(), new.message_id, to, request)?;
        let envelope = Envelope::json(new.queue, KIND_LETTER, &letter)?
            .id(new.id)
            .priority(place(request).1);
        self.queue(tx, new, with_expiry(envelope, letter.expires_at))
            .await
    }

    async fn queue(
        &self,
        tx: &mut Tx<'_>,
        new: &NewDelivery<'_>,
        envelope: Envelope,
    ) -> Result<(), MailError> {
        if deliveries::insert(tx, new).await? {
            delivery_events::note(tx, new.id, "queued", None).await?;
        } else if let (Some(masked), Some(hash)) = (new.recipient, new.recipient_hash) {
            // Asked for by SQL, which stands in the ledger since and knows no keyed hashes.
            deliveries::set_recipient(tx, new.id, masked, hash).await?;
        }
        self.outbox().publish_envelope(tx, &envelope).await?;
        Ok(())
    }
}

/// Where a request waits, and how urgently.
pub(super) fn place(request: &MailRequest) -> (&'static str, Priority) {
    let bulk = request
        .headers
        .iter()
        .any(|(name, _)| name.eq_ignore_ascii_case("List-Unsubscribe"));
    if bulk {
        (MAIL_BULK_QUEUE, Priority::BULK)
    } else {
        (MAIL_QUEUE, Priority::NORMAL)
    }
}

fn with_expiry(envelope: Envelope, expires_at: Option<Timestamp>) -> Envelope {
    match expires_at {
        Some(at) => envelope.expires_at(at),
        None => envelope,
    }
}

/// Uses an idempotency key; gives the first request's mail if it was used for the same before.
async fn use_key(
    tx: &mut Tx<'_>,
    key: &Idempotency,
    request: &MailRequest,
    message_id: Uuid,
) -> Result<Option<Uuid>, MailError> {
    let key_hash = Sha256::digest(key.key.as_bytes());
    let digest = Sha256::digest(serde_json::to_vec(request)?);
    let until = tx.now() + KEY_LIFE;
    if mail_keys::claim(tx, &key.scope, &key_hash, &digest, message_id, until).await? {
        return Ok(None);
    }
    match mail_keys::get(tx, &key.scope, &key_hash).await? {
        Some(first) if first.digest == digest.as_slice() => Ok(Some(first.delivery_id)),
        _ => Err(MailError::IdempotencyConflict),
    }
}
