//! Between the start and its end: render, talk, and keep the lease meanwhile.

use std::time::Duration;

use gatepost_messaging::{Ack, Outcome};
use gatepost_storage::outbox::Held;
use gatepost_storage::{Timestamp, fault};

use super::Desk;
use super::settle::End;
use super::start::Job;
use crate::Sender;
use crate::post::Post;
use crate::queue::{MailError, compose};
use crate::transport::{Accepted, Captured, Leave, Parcel, SendError};

/// How often the lease is renewed.
const RENEW: Duration = Duration::from_secs(3);

/// What became of a dialogue.
pub(super) struct Talked {
    pub(super) outcome: Result<Accepted, SendError>,
    /// Whether the ledger knows of a final dot of this start.
    pub(super) dot_noted: bool,
}

impl Desk {
    pub(super) async fn send(&self, job: &Job, ack: &Ack, leave: Option<Leave>) -> Outcome {
        let domain = match self.transport.enter_domain(job.id, job.to.domain()) {
            Ok(domain) => domain,
            Err(wait) => {
                let next = self.clerk.mailer.store().now() + wait;
                return self.settle(job, ack, End::Limited { next }, false).await;
            }
        };
        let talked = match self.letter(job) {
            Ok((from, message, content)) => self.talk(job, leave.as_ref(), &from, &message, content).await,
            Err(error) => {
                return self
                    .settle(job, ack, End::Unsendable(error.to_string()), false)
                    .await;
            }
        };
        // What was to be learnt about the server is learnt; nobody waits for our database.
        drop((domain, leave));
        let end = self.judge(job, talked.outcome);
        self.settle(job, ack, end, talked.dot_noted).await
    }

    /// Renders the letter and makes a message of it.
    fn letter(&self, job: &Job) -> Result<(Sender, Vec<u8>, Captured), MailError> {
        let settings = self.clerk.mailer.settings();
        let rendered = compose(self.clerk.mailer.templates(), &job.request, settings)?;
        let from = job.request.from.clone().unwrap_or_else(|| settings.from.clone());
        if !settings.may_be_from(&from.address) {
            return Err(MailError::SenderNotAllowed);
        }
        let post = Post {
            message_id: job.message_id,
            from: &from,
            to: std::slice::from_ref(&job.request.to),
            cc: &job.request.cc,
            reply_to: job.request.reply_to.as_ref(),
            subject: &rendered.subject,
            text: &rendered.text,
            html: Some(&rendered.html),
            date: job.started_at.as_micros(),
            headers: &job.request.headers,
            attachments: &settings.files(&job.request.attachments, &rendered.html),
        };
        let message = post.build()?;
        #[cfg(feature = "smtp")]
        let message = match &self.dkim {
            Some(dkim) => dkim.sign(&message, job.started_at.as_micros() / 1_000_000)?,
            None => message,
        };
        let content = Captured {
            to: job.to.to_string(),
            from: from.to_string(),
            template: job.request.template().to_owned(),
            locale: rendered.locale,
            subject: rendered.subject,
            text: rendered.text,
            html: Some(rendered.html),
            message_id: Post::message_id_header(job.message_id, &from),
        };
        Ok((from, message, content))
    }

    async fn talk(
        &self,
        job: &Job,
        leave: Option<&Leave>,
        from: &Sender,
        message: &[u8],
        content: Captured,
    ) -> Talked {
        let mut dot_noted = false;
        let comes_back_to = self.clerk.mailer.envelope_sender(job.id, &from.address);
        let parcel = Parcel {
            id: job.id,
            from: &comes_back_to,
            to: &job.to,
            message,
            expires_at: job.expires_at,
            content,
        };
        let dialogue = self.transport.deliver(leave, parcel, async || {
            let until = self.note_dot(job).await;
            dot_noted = until.is_some();
            // The process may have slept since (a frozen container, a lid): then others may be sending it.
            let now = self.clerk.mailer.store().now();
            until.is_some_and(|until| until > now + RENEW)
        });
        // Renewing never ends by itself; the dialogue is never cut off by it.
        let outcome = tokio::select! {
            outcome = dialogue => outcome,
            never = self.keep_lease(job) => match never {},
        };
        Talked { outcome, dot_noted }
    }

    /// Notes the final dot, if there is time left on the lease; until when it is ours to send.
    async fn note_dot(&self, job: &Job) -> Option<Timestamp> {
        let id = job.id;
        let held = Held { id, lease: job.lease };
        let noted = match self.steps.dot.ask(&self.clerk, held).await {
            Ok(noted) => noted,
            Err(error) => {
                tracing::warn!(%id, %error, "the final dot could not be noted and was not sent");
                None
            }
        };
        if noted.is_some() {
            fault::hit("mail.dot_noted");
        }
        #[cfg(feature = "testing")]
        if noted.is_some() {
            self.reached(super::FaultPoint::DotNoted, id).await;
        }
        noted
    }

    async fn keep_lease(&self, job: &Job) -> std::convert::Infallible {
        let (id, lease) = (job.id, job.lease);
        loop {
            tokio::time::sleep(RENEW).await;
            let renewed = self.steps.renew.ask(&self.clerk, Held { id, lease });
            if let Err(error) = renewed.await {
                tracing::warn!(%id, %error, "a letter's lease could not be renewed");
            }
        }
    }
}
