//! What other programs asked for in their own SQL becomes letters: read, checked, and sealed.

use std::time::Duration;

use gatepost_messaging::{Body, Broker, Consumer, DeadLetter, Delivery, Error as QueueError, Outcome};
use gatepost_storage::dead_letters::REPLAYED_AT;
use gatepost_storage::{Tx, TxFuture, deliveries, delivery_decisions, delivery_events};
use uuid::Uuid;

use super::settings::MAIL_REQUESTS_QUEUE;
use super::{MailError, Mailer};
use crate::wire::MailRequest;

/// The kind that `enqueue_mail` gives its messages.
const KIND_REQUEST: &str = "gatepost.mail_request";

impl Mailer {
    /// Makes letters of requests, on the embedded broker whatever else carries messages: a request is a row of this
    /// database, and so is what it becomes, in one transaction.
    pub(crate) fn requests(&self) -> Consumer {
        let (mailer, to_tell) = (self.clone(), self.clone());
        Broker::embedded(self.store())
            .consume_any(MAIL_REQUESTS_QUEUE, move |delivery| {
                let mailer = mailer.clone();
                async move { mailer.accept(delivery).await }
            })
            .deliver_expired()
            .on_dead(move |tx, dead| note_dead(to_tell.clone(), tx, dead))
    }

    async fn accept(&self, delivery: Delivery<Body>) -> Outcome {
        let id = delivery.id;
        if delivery.kind != KIND_REQUEST {
            return Outcome::Fail("it is no request for mail".to_owned());
        }
        let request = match MailRequest::parse(&delivery.message.bytes) {
            Ok(request) => request,
            Err(error) => return Outcome::Fail(error.to_string()),
        };
        let (mailer, ack) = (self.clone(), delivery.ack());
        let replayed = delivery.headers.contains_key(REPLAYED_AT);
        let accepted = self.store().run_tx("accept_mail_request", move |tx| {
            let (mailer, ack, request) = (mailer.clone(), ack.clone(), request.clone());
            Box::pin(async move {
                if !ack.done_in(&mut *tx).await? {
                    return Err(QueueError::Closed.into());
                }
                if replayed && delivery_decisions::reopen(tx, id).await? {
                    delivery_events::note(tx, id, "replayed", None).await?;
                }
                // The letter's message takes the id, which the request's has just given up.
                match mailer.enqueue_request_as(&mut *tx, id, &request).await {
                    Err(MailError::Expired) => {
                        let why = "it was too late to send it";
                        Ok(mailer.end(tx, id, "expired", why).await?)
                    }
                    other => other,
                }
            })
        });
        match accepted.await {
            Ok(()) => Outcome::Done,
            Err(error) if error.is_the_callers() => Outcome::Fail(error.to_string()),
            Err(error) => {
                tracing::warn!(%id, %error, "a request for mail could not be accepted yet");
                Outcome::Later(error.to_string(), Duration::from_secs(1))
            }
        }
    }

    /// Ends a letter that was never made, and tells of it.
    async fn end(
        &self,
        tx: &mut Tx<'_>,
        id: Uuid,
        state: &str,
        why: &str,
    ) -> Result<(), gatepost_storage::Error> {
        if deliveries::end_any(tx, id, state, why).await? {
            delivery_events::note(tx, id, state, Some(why)).await?;
            self.tell_failed(tx, id).await?;
        }
        Ok(())
    }
}

/// In the transaction in which a request becomes a dead letter the ledger says why.
fn note_dead<'a>(mailer: Mailer, tx: &'a mut Tx<'_>, dead: &'a DeadLetter) -> TxFuture<'a, (), QueueError> {
    Box::pin(async move { Ok(mailer.end(tx, dead.id, "failed", &dead.detail).await?) })
}
