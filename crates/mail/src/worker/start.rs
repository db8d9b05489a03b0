//! The start of a letter: may it go, to whom, and note it, in one transaction.

use std::sync::Arc;
use std::time::Duration;

use gatepost_messaging::{Ack, Body, Delivery as Message, Outcome};
use gatepost_storage::deliveries::{self, DeliveryRow, NewDelivery};
use gatepost_storage::{Timestamp, Tx, delivery_events, new_id, suppressions};
use uuid::Uuid;

use super::{Desk, LEASE};
use crate::EmailAddress;
use crate::queue::{
    AccountIntent, KIND_INTENT, KIND_LETTER, MAIL_QUEUE, MailError, QueuedLetter, Resolution,
};
use crate::wire::{Content, MailRequest};

/// Starts in a row that came to no end, after which the letter itself is suspected.
const MAX_OPEN_STARTS: i64 = 5;
/// Starts that passed the final dot with no answer noted: after the second a person decides.
pub(super) const MAX_OPEN_DOTS: i64 = 2;

/// What a message says, read before the transaction.
#[derive(Debug)]
enum Said {
    Letter {
        message_id: Uuid,
        to: EmailAddress,
        request: Box<MailRequest>,
    },
    Intent(Box<AccountIntent>),
}

/// Whether a letter goes.
#[derive(Debug)]
pub(super) enum Start {
    /// Its start is noted.
    Send(Box<Job>),
    /// Not now or not at all; what the queue is told.
    Settled(Outcome),
}

/// A letter whose start is noted.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) id: Uuid,
    pub(super) message_id: Uuid,
    pub(super) lease: Uuid,
    pub(super) to: EmailAddress,
    /// What is rendered: the request that came, or one made of the intent.
    pub(super) request: MailRequest,
    pub(super) intent: Option<AccountIntent>,
    pub(super) attempts: i64,
    pub(super) open_dots: i64,
    pub(super) faults: i64,
    pub(super) started_at: Timestamp,
    pub(super) expires_at: Option<Timestamp>,
}

impl Desk {
    pub(super) async fn start(&self, message: &Message<Body>) -> Result<Start, MailError> {
        #[cfg(feature = "testing")]
        self.reached(super::FaultPoint::Claimed, message.id).await;
        let content = match self.read(message) {
            Ok(content) => Arc::new(content),
            Err(reason) => return self.refuse(message, reason).await,
        };
        let meta = Arc::new(Meta {
            id: message.id,
            queue: message.queue.clone(),
            expires_at: message.expires_at,
            ack: message.ack(),
        });
        let desk = self.clone();
        let started = self.mailer.store().run_tx("start_letter", move |tx| {
            let (desk, content, meta) = (desk.clone(), Arc::clone(&content), Arc::clone(&meta));
            Box::pin(async move { desk.start_in(tx, &content, &meta).await })
        });
        let started = started.await?;
        #[cfg(feature = "testing")]
        if matches!(started, Start::Send(_)) {
            self.reached(super::FaultPoint::SendingNoted, message.id).await;
        }
        Ok(started)
    }

    /// Reads and opens a message; what does not open is never sent.
    fn read(&self, message: &Message<Body>) -> Result<Said, String> {
        let body = &message.message;
        if message.queue != MAIL_QUEUE {
            // Whoever may write there may have mail sent, not account letters.
            let request = MailRequest::parse_wire(&body.bytes).map_err(|error| error.to_string())?;
            let to = request.to.clone();
            return Ok(Said::Letter {
                message_id: message.id,
                to,
                request: Box::new(request),
            });
        }
        // What the parser says repeats what stands there, and reasons are shown where queues are.
        match message.kind.as_str() {
            KIND_INTENT => {
                let intent = body
                    .parse()
                    .map_err(|_| "not an account letter's intent".to_owned())?;
                Ok(Said::Intent(Box::new(intent)))
            }
            KIND_LETTER => {
                let letter: QueuedLetter = body.parse().map_err(|_| "not a sealed letter".to_owned())?;
                let request = letter
                    .open(self.mailer.sealer())
                    .map_err(|error| error.to_string())?;
                let (message_id, to) = (letter.message_id, letter.to);
                Ok(Said::Letter {
                    message_id,
                    to,
                    request: Box::new(request),
                })
            }
            kind => Err(format!("a message of the kind {kind:?} is no letter")),
        }
    }

    /// A message that cannot be read becomes a dead letter, and the ledger says why.
    async fn refuse(&self, message: &Message<Body>, reason: String) -> Result<Start, MailError> {
        self.health.count("failed");
        let (id, ack) = (message.id, message.ack());
        let outcome = Outcome::Fail(reason.clone());
        let settled = outcome.clone();
        self.mailer
            .store()
            .run_tx("refuse_letter", move |tx| {
                let (ack, outcome, reason) = (ack.clone(), outcome.clone(), reason.clone());
                Box::pin(async move {
                    if deliveries::end_any(tx, id, "failed", &reason).await? {
                        delivery_events::note(tx, id, "failed", Some(&reason)).await?;
                    }
                    ack.settle_in(tx, &outcome).await?;
                    Ok::<_, MailError>(())
                })
            })
            .await?;
        Ok(Start::Settled(settled))
    }

    async fn start_in(&self, tx: &mut Tx<'_>, content: &Said, meta: &Meta) -> Result<Start, MailError> {
        let now = tx.now();
        let row = self.row(tx, content, meta).await?;
        match row.state.as_str() {
            "waiting" | "deferred" => {}
            "sending" => {
                if let Some(until) = row.lease_until.filter(|until| *until > now) {
                    let wait = until.since(now) + Duration::from_millis(1);
                    return Ok(Start::Settled(Outcome::Later(
                        "somebody else is sending it".to_owned(),
                        wait,
                    )));
                }
                delivery_events::note(tx, row.id, "interrupted", None).await?;
            }
            // A dead letter that somebody put back on the queue: it begins anew.
            "failed" | "unknown" => delivery_events::note(tx, row.id, "replayed", None).await?,
            _ => {
                // Sent, or ended for good: whatever comes after that is a copy.
                meta.ack.done_in(tx).await?;
                return Ok(Start::Settled(Outcome::Done));
            }
        }
        if row.expires_at.is_some_and(|at| at <= now) {
            return self
                .skip(tx, meta, &row, "expired", "it was too late to send it")
                .await;
        }
        if row.state == "sending" && row.open_dots >= MAX_OPEN_DOTS {
            return give_up(
                tx,
                meta,
                &row,
                "unknown",
                "twice no answer was noted after the final dot",
            )
            .await;
        }
        if row.state == "sending" && row.open_starts >= MAX_OPEN_STARTS {
            return give_up(tx, meta, &row, "failed", "five starts in a row came to no end").await;
        }
        self.resolve(tx, content, meta, row).await
    }

    async fn resolve(
        &self,
        tx: &mut Tx<'_>,
        content: &Said,
        meta: &Meta,
        row: DeliveryRow,
    ) -> Result<Start, MailError> {
        let (to, request, intent) = match content {
            Said::Letter { to, request, .. } => (to.clone(), (**request).clone(), None),
            Said::Intent(intent) => {
                if intent.replaces_older && deliveries::has_newer(tx, &row).await? {
                    return self
                        .skip(tx, meta, &row, "superseded", "it was asked for again")
                        .await;
                }
                let resolved = match self.accounts.resolve(tx, intent, row.message_id).await? {
                    Resolution::Send(resolved) => resolved,
                    Resolution::Skip(reason) => return self.skip(tx, meta, &row, "cancelled", &reason).await,
                };
                let serde_json::Value::Object(data) = resolved.data else {
                    let reason = "its data is no object";
                    return give_up(tx, meta, &row, "failed", reason).await;
                };
                let request = MailRequest {
                    to: resolved.to.clone(),
                    cc: Vec::new(),
                    bcc: Vec::new(),
                    reply_to: None,
                    from: None,
                    subject: None,
                    content: Content::Template {
                        name: intent.letter.clone(),
                        data,
                    },
                    text: None,
                    headers: Vec::new(),
                    attachments: Vec::new(),
                    locale: Some(resolved.locale.unwrap_or_else(|| intent.locale.clone())),
                    expires_at: None,
                };
                (resolved.to, request, Some((**intent).clone()))
            }
        };
        for hash in self.mailer.sealer().address_hashes(&to) {
            if let Some(reason) = suppressions::reason(tx, &hash).await? {
                return self.skip(tx, meta, &row, "suppressed", &reason).await;
            }
        }
        if intent.is_some() && row.recipient.is_none() {
            let hash = self.mailer.sealer().address_hash(&to);
            deliveries::set_recipient(tx, row.id, &to.masked(), &hash).await?;
        }
        let (now, lease) = (tx.now(), new_id(tx.now()));
        if !deliveries::start(tx, row.id, lease, now + LEASE).await? {
            let outcome = Outcome::Later("somebody else took it".to_owned(), Duration::from_secs(1));
            return Ok(Start::Settled(outcome));
        }
        let anew = matches!(row.state.as_str(), "failed" | "unknown");
        if row.attempts == 0 && row.faults == 0 {
            delivery_events::note(tx, row.id, "sending", None).await?;
        }
        Ok(Start::Send(Box::new(Job {
            id: row.id,
            message_id: row.message_id,
            lease,
            to,
            request,
            intent,
            attempts: if anew { 0 } else { row.attempts },
            open_dots: if anew { 0 } else { row.open_dots },
            faults: row.faults,
            started_at: now,
            expires_at: row.expires_at,
        })))
    }

    /// The ledger's row; made now for mail that others put on the queue.
    async fn row(&self, tx: &mut Tx<'_>, content: &Said, meta: &Meta) -> Result<DeliveryRow, MailError> {
        if let Some(row) = deliveries::get(tx, meta.id).await? {
            return Ok(row);
        }
        let about;
        let masked;
        let hash;
        let mut new = NewDelivery {
            id: meta.id,
            message_id: meta.id,
            template: "",
            locale: None,
            queue: &meta.queue,
            about: None,
            recipient: None,
            recipient_hash: None,
            expires_at: meta.expires_at,
        };
        match content {
            Said::Letter {
                message_id,
                to,
                request,
            } => {
                (masked, hash) = (to.masked(), self.mailer.sealer().address_hash(to));
                new.message_id = *message_id;
                new.template = request.template();
                new.locale = request.locale.as_deref();
                new.recipient = Some(&masked);
                new.recipient_hash = Some(&hash);
            }
            Said::Intent(intent) => {
                about = intent.about.key();
                new.template = &intent.letter;
                new.locale = Some(&intent.locale);
                new.about = Some(&about);
            }
        }
        if deliveries::insert(tx, &new).await? {
            delivery_events::note(tx, meta.id, "queued", None).await?;
        }
        deliveries::get(tx, meta.id)
            .await?
            .ok_or_else(|| MailError::Account("the ledger's row vanished".into()))
    }

    /// Ends a letter that needs no sending; its message is done.
    async fn skip(
        &self,
        tx: &mut Tx<'_>,
        meta: &Meta,
        row: &DeliveryRow,
        state: &str,
        reason: &str,
    ) -> Result<Start, MailError> {
        if deliveries::end(tx, row.id, state, reason).await? {
            delivery_events::note(tx, row.id, state, Some(reason)).await?;
            self.health.count("skipped");
        }
        meta.ack.done_in(tx).await?;
        Ok(Start::Settled(Outcome::Done))
    }
}

/// Ends a letter for a person to decide: a dead letter.
async fn give_up(
    tx: &mut Tx<'_>,
    meta: &Meta,
    row: &DeliveryRow,
    state: &str,
    reason: &str,
) -> Result<Start, MailError> {
    if deliveries::end(tx, row.id, state, reason).await? {
        delivery_events::note(tx, row.id, state, Some(reason)).await?;
    }
    let outcome = Outcome::Fail(format!("{state}: {reason}"));
    meta.ack.settle_in(tx, &outcome).await?;
    Ok(Start::Settled(outcome))
}

/// What the transaction needs of the message.
struct Meta {
    id: Uuid,
    queue: String,
    expires_at: Option<Timestamp>,
    ack: Ack,
}
