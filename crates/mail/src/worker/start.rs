//! The start of a letter: may it go, to whom, and note it, in one transaction.

use std::sync::Arc;
use std::time::Duration;

use gatepost_messaging::{Ack, Body, Delivery as Message, Outcome};
use gatepost_storage::dead_letters::REPLAYED_AT;
use gatepost_storage::deliveries::{self, NewDelivery};
use gatepost_storage::deliveries_foreign::Foreign;
use gatepost_storage::{Timestamp, delivery_decisions, delivery_events, fault};
use uuid::Uuid;

use super::Desk;
use crate::EmailAddress;
use crate::queue::{AccountIntent, KIND_INTENT, KIND_LETTER, MailError, QueuedLetter, is_ours};
use crate::seal::Sealer;
use crate::wire::MailRequest;

/// Starts in a row that came to no end, after which the letter itself is suspected.
pub(super) const MAX_OPEN_STARTS: i64 = 5;
/// Starts that passed the final dot with no answer noted: after the second a person decides.
pub(super) const MAX_OPEN_DOTS: i64 = 2;

/// What a message says, read before the transaction.
#[derive(Debug)]
pub(super) enum Said {
    Letter {
        message_id: Uuid,
        to: EmailAddress,
        request: Arc<MailRequest>,
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
    pub(super) request: Arc<MailRequest>,
    pub(super) intent: Option<AccountIntent>,
    pub(super) attempts: i64,
    pub(super) open_dots: i64,
    pub(super) faults: i64,
    pub(super) started_at: Timestamp,
    /// When somebody asked for it.
    pub(super) accepted_at: Timestamp,
    pub(super) expires_at: Option<Timestamp>,
    /// Its reader is to be left alone; it goes all the same, being the day's account letter.
    pub(super) suppressed: bool,
}

/// A message that was read and asks to be sent.
pub(super) struct Asked {
    pub(super) said: Said,
    pub(super) id: Uuid,
    /// Its id was made here for this delivery of the message, so that nothing can be known of it.
    pub(super) is_new: bool,
    /// What it is known by, if another program made it.
    pub(super) foreign: Option<Foreign>,
    pub(super) queue: String,
    pub(super) expires_at: Option<Timestamp>,
    /// When somebody put it back on the queue, if it was a dead letter.
    pub(super) replayed_at: Option<Timestamp>,
    pub(super) ack: Ack,
}

/// What the ledger's row is made of, for mail that others put on the queue.
pub(super) enum Facts {
    Letter { masked: String, hash: [u8; 32] },
    Intent { about: String },
}

impl Facts {
    pub(super) fn letter(to: &EmailAddress, hash: [u8; 32]) -> Self {
        Facts::Letter {
            masked: to.masked(),
            hash,
        }
    }
}

impl Asked {
    pub(super) fn facts(&self, sealer: &Sealer) -> Facts {
        match &self.said {
            Said::Letter { to, .. } => Facts::letter(to, sealer.address_hash(to)),
            Said::Intent(intent) => Facts::Intent {
                about: intent.about.key(),
            },
        }
    }

    pub(super) fn new_delivery<'a>(&'a self, facts: &'a Facts) -> NewDelivery<'a> {
        let mut new = NewDelivery {
            id: self.id,
            message_id: self.id,
            template: "",
            locale: None,
            queue: &self.queue,
            about: None,
            recipient: None,
            recipient_hash: None,
            expires_at: self.expires_at,
        };
        match &self.said {
            Said::Letter {
                message_id, request, ..
            } => {
                new.message_id = *message_id;
                new.template = request.template();
                new.locale = request.locale.as_deref();
            }
            Said::Intent(intent) => {
                new.template = &intent.letter;
                new.locale = Some(&intent.locale);
            }
        }
        match facts {
            Facts::Letter { masked, hash } => {
                new.recipient = Some(masked);
                new.recipient_hash = Some(hash);
            }
            Facts::Intent { about } => new.about = Some(about),
        }
        new
    }
}

impl Desk {
    pub(super) async fn start(&self, message: &Message<Body>) -> Result<Start, MailError> {
        fault::hit("mail.claimed");
        #[cfg(feature = "testing")]
        self.reached(super::FaultPoint::Claimed, message.id).await;
        let mut said = match self.read(message) {
            Ok(said) => said,
            Err(reason) => return self.refuse(message, reason).await,
        };
        let mut id = message.id;
        let foreign = if self.foreign_ids && !is_ours(&message.queue) {
            let foreign = self.identify(message).await?;
            id = foreign.id;
            if let Said::Letter { message_id, .. } = &mut said {
                *message_id = id;
            }
            Some(foreign)
        } else {
            None
        };
        let alone = matches!(said, Said::Intent(_));
        let asked = Asked {
            said,
            id,
            is_new: foreign.is_some() && message.fresh_id && id == message.id,
            foreign,
            queue: message.queue.clone(),
            expires_at: message.expires_at,
            replayed_at: replayed_at(message),
            ack: message.ack(),
        };
        let started = if alone {
            // Whoever makes it does work of his own in the transaction, and may fail there.
            let mut started = self.clerk.start(vec![Arc::new(asked)]).await?;
            started.pop().unwrap_or_else(busy)
        } else {
            self.steps.start.ask(&self.clerk, asked).await?
        };
        if matches!(started, Start::Send(_)) {
            fault::hit("mail.sending_noted");
        }
        #[cfg(feature = "testing")]
        if matches!(started, Start::Send(_)) {
            self.reached(super::FaultPoint::SendingNoted, message.id).await;
        }
        Ok(started)
    }

    /// Reads and opens a message; what does not open is never sent.
    fn read(&self, message: &Message<Body>) -> Result<Said, String> {
        let body = &message.message;
        if !is_ours(&message.queue) {
            // Whoever may write there may have mail sent, not account letters.
            let request = MailRequest::parse_wire(&body.bytes)
                .map_err(|error| error.to_string())?
                .in_language(message.headers.get("x-locale"));
            let to = request.to.clone();
            return Ok(Said::Letter {
                message_id: message.id,
                to,
                request: Arc::new(request),
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
                    .open(self.clerk.mailer.sealer())
                    .map_err(|error| error.to_string())?;
                let (message_id, to) = (letter.message_id, letter.to);
                Ok(Said::Letter {
                    message_id,
                    to,
                    request: Arc::new(request),
                })
            }
            kind => Err(format!("a message of the kind {kind:?} is no letter")),
        }
    }

    /// A message that cannot be read becomes a dead letter, and the ledger says why.
    async fn refuse(&self, message: &Message<Body>, reason: String) -> Result<Start, MailError> {
        self.clerk.health.count("failed");
        self.clerk.health.letter("-", "failed");
        let (id, ack) = (message.id, message.ack());
        let outcome = Outcome::Fail(reason.clone());
        let settled = outcome.clone();
        let mailer = self.clerk.mailer.clone();
        self.clerk
            .mailer
            .store()
            .run_tx("refuse_letter", move |tx| {
                let (ack, outcome, reason) = (ack.clone(), outcome.clone(), reason.clone());
                let mailer = mailer.clone();
                Box::pin(async move {
                    if deliveries::end_any(tx, id, "failed", &reason).await? {
                        delivery_decisions::set_dead(tx, id).await?;
                        delivery_events::note(tx, id, "failed", Some(&reason)).await?;
                        mailer.tell_failed(tx, id).await?;
                    }
                    ack.settle_in(tx, &outcome).await?;
                    Ok::<_, MailError>(())
                })
            })
            .await?;
        Ok(Start::Settled(settled))
    }
}

fn replayed_at(message: &Message<Body>) -> Option<Timestamp> {
    let micros = message.headers.get(REPLAYED_AT)?.parse().ok()?;
    Some(Timestamp::from_micros(micros))
}

/// Somebody else has it, or has just taken it, or its template was paused at this moment.
pub(super) fn busy() -> Start {
    let wait = Duration::from_secs(1);
    Start::Settled(Outcome::Later(
        "somebody else took it, or its template was paused".to_owned(),
        wait,
    ))
}
