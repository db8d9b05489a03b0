//! The end of a start: what the mail server said becomes what the ledger and the queue say.

use std::sync::Arc;
use std::time::Duration;

use gatepost_messaging::{Ack, Outcome};
use gatepost_storage::deliveries::{self, Settled};
use gatepost_storage::{Timestamp, Tx, delivery_events};

use super::schedule::{jittered, next_attempt};
use super::start::{Job, MAX_OPEN_DOTS};
use super::{Desk, later};
use crate::queue::MailError;
use crate::transport::{Accepted, Phase, SendError};

/// After an unanswered dot the letter rests at least so long: if it was taken, its reader has it, and
/// a server that lost its answer may be itself again.
const AFTER_UNANSWERED: Duration = Duration::from_secs(30);
/// Longest rest of a letter that only meets faults of the server.
const LONGEST_FAULT: Duration = Duration::from_mins(5);
/// How long `sent` is tried to be noted when the database fails: as long as it may take to come back.
const NOTE_SENT: u32 = 240;

/// What a start came to.
#[derive(Debug, Clone)]
pub(super) enum End {
    /// Taken.
    Sent(Accepted),
    /// Refused for good.
    Refused(String),
    /// Cannot be rendered or built: nobody's but ours to mend.
    Unsendable(String),
    /// Tried again then; none if that was the last attempt.
    Deferred {
        why: String,
        next: Option<Timestamp>,
        unanswered: bool,
    },
    /// The server's fault; tried again then.
    Fault { why: String, next: Timestamp },
    /// A second dot without an answer.
    Unknown(String),
    /// The lease was lost or the dot could not be noted: nothing is known to this start.
    HeldBack,
}

impl Desk {
    /// What a dialogue came to, and what it says about the server.
    pub(super) fn judge(&self, job: &Job, outcome: Result<Accepted, SendError>) -> End {
        let now = self.mailer.store().now();
        let put_off = |why: String| {
            let next = next_attempt(now, job.attempts + 1, job.expires_at);
            End::Deferred {
                why,
                next,
                unanswered: false,
            }
        };
        match outcome {
            Ok(accepted) => {
                self.pause.took();
                End::Sent(accepted)
            }
            Err(SendError::Refused { reply, policy, .. }) => {
                if policy && self.pause.policy_refusal() {
                    let why = format!("refused for policy again and again: {reply}");
                    let until = self.pause.fault(now, true, &why);
                    return End::Fault { why, next: until };
                }
                self.pause.good();
                End::Refused(reply)
            }
            Err(SendError::Deferred { detail, .. }) => {
                self.pause.good();
                put_off(detail)
            }
            Err(SendError::Unanswered { detail }) => {
                if job.open_dots + 1 >= MAX_OPEN_DOTS {
                    return End::Unknown(detail);
                }
                let next = next_attempt(now, job.attempts + 1, job.expires_at);
                let next = next.map(|next| next.max(now + AFTER_UNANSWERED));
                End::Deferred {
                    why: detail,
                    next,
                    unanswered: true,
                }
            }
            Err(SendError::Server { phase, detail }) => {
                let why = format!("{phase}: {detail}");
                let until = self.pause.fault(now, phase != Phase::MailFrom, &why);
                let step = u32::try_from(job.faults).unwrap_or(u32::MAX).min(8);
                let rest = Duration::from_secs(1)
                    .saturating_mul(1 << step)
                    .min(LONGEST_FAULT);
                // Refused senders rest longer each time; when the server is down, all wait for the pause.
                let next = if phase == Phase::MailFrom {
                    until.max(now + jittered(rest))
                } else {
                    until
                };
                End::Fault { why, next }
            }
            Err(SendError::HeldBack) => End::HeldBack,
        }
    }

    /// Writes it down, in one transaction with what the queue is told.
    pub(super) async fn settle(&self, job: &Job, ack: &Ack, end: End, dot_noted: bool) -> Outcome {
        self.report(job, &end);
        #[cfg(feature = "testing")]
        if matches!(end, End::Sent(_)) {
            self.reached(super::FaultPoint::Accepted, job.id).await;
        }
        let sent = matches!(end, End::Sent(_));
        let note = Arc::new(Note {
            id: job.id,
            message_id: job.message_id,
            lease: job.lease,
            intent: job.intent.clone(),
            masked: (job.to.to_string(), job.to.masked()),
            end,
            dot_answered: dot_noted,
            ack: ack.clone(),
        });
        let mut tries = 0;
        loop {
            let (desk, note) = (self.clone(), Arc::clone(&note));
            let settled = self.mailer.store().run_tx("settle_letter", move |tx| {
                let (desk, note) = (desk.clone(), Arc::clone(&note));
                Box::pin(async move { desk.settle_in(tx, &note).await })
            });
            match settled.await {
                Ok(outcome) => {
                    #[cfg(feature = "testing")]
                    if sent {
                        self.reached(super::FaultPoint::SentNoted, job.id).await;
                    }
                    return outcome;
                }
                // The letter is out. While this is not noted it may go out again, so it is tried for long.
                Err(error) if sent && tries < NOTE_SENT => {
                    tries += 1;
                    tracing::error!(id = %job.id, %error, "a letter was sent, and that could not be noted yet");
                    tokio::time::sleep(Duration::from_millis(250)).await;
                }
                Err(error) => {
                    tracing::error!(id = %job.id, %error, "the end of a letter's start could not be noted");
                    return later(&error);
                }
            }
        }
    }

    async fn settle_in(&self, tx: &mut Tx<'_>, note: &Note) -> Result<Outcome, MailError> {
        let Some(ending) = note.ending(tx.now()) else {
            return self.sent_in(tx, note).await;
        };
        let settled = Settled {
            state: ending.state,
            counts: ending.counts,
            fault: ending.event == "server_fault",
            dot_answered: note.dot_answered && !ending.unanswered,
            next_attempt_at: ending.next,
            reply: Some(&ending.why),
        };
        if !deliveries::settle(tx, note.id, note.lease, &settled).await? {
            // Somebody else took it over meanwhile and will say how it ends.
            return Ok(Outcome::Later(
                "the letter's lease was lost".to_owned(),
                Duration::from_secs(1),
            ));
        }
        delivery_events::note(tx, note.id, ending.event, Some(&ending.why)).await?;
        note.ack.settle_in(tx, &ending.outcome).await?;
        Ok(ending.outcome)
    }

    async fn sent_in(&self, tx: &mut Tx<'_>, note: &Note) -> Result<Outcome, MailError> {
        let reply = note.masked(match &note.end {
            End::Sent(accepted) => format!("{} {}", accepted.code, accepted.text),
            _ => String::new(),
        });
        if deliveries::set_sent(tx, note.id, &reply).await? {
            delivery_events::note(tx, note.id, "sent", Some(&reply)).await?;
            if let Some(intent) = &note.intent {
                self.accounts.sent(tx, intent, note.message_id).await?;
            }
        }
        note.ack.done_in(tx).await?;
        Ok(Outcome::Done)
    }

    /// One line in the log, and the counts.
    fn report(&self, job: &Job, end: &End) {
        let (id, template, attempt) = (job.id, job.request.template(), job.attempts + 1);
        match end {
            End::Sent(_) => {
                self.health.count("sent");
                tracing::info!(%id, template, attempt, "a letter was sent");
            }
            End::Refused(_) | End::Unsendable(_) | End::Deferred { next: None, .. } => {
                self.health.count("failed");
                tracing::warn!(%id, template, attempt, "a letter failed");
            }
            End::Deferred { .. } => {
                self.health.count("deferred");
                tracing::info!(%id, template, attempt, "a letter was put off");
            }
            End::Fault { .. } => {
                self.health.count("server_fault");
                tracing::warn!(%id, template, "the mail server is at fault; letters wait");
            }
            End::Unknown(_) => {
                self.health.count("unknown");
                tracing::error!(%id, template, "no answer after the final dot for the second time; a person must decide");
            }
            End::HeldBack => {}
        }
    }
}

/// Everything that the transaction writes.
struct Note {
    id: uuid::Uuid,
    message_id: uuid::Uuid,
    lease: uuid::Uuid,
    intent: Option<crate::queue::AccountIntent>,
    /// The address and its masked form: servers like to repeat it.
    masked: (String, String),
    end: End,
    dot_answered: bool,
    ack: Ack,
}

struct Ending {
    state: &'static str,
    event: &'static str,
    why: String,
    counts: bool,
    unanswered: bool,
    next: Option<Timestamp>,
    outcome: Outcome,
}

impl Note {
    fn masked(&self, text: impl AsRef<str>) -> String {
        text.as_ref().replace(&self.masked.0, &self.masked.1)
    }

    /// How the start ended; none if the letter was taken.
    fn ending(&self, now: Timestamp) -> Option<Ending> {
        let held_back = "the final dot was held back: the lease was lost, or the dot could not be noted";
        let (state, event, why, counts, unanswered, next) = match &self.end {
            End::Sent(_) => return None,
            End::Deferred {
                why,
                next: Some(next),
                unanswered,
            } => {
                let event = if *unanswered { "unanswered" } else { "deferred" };
                ("deferred", event, why.as_str(), true, *unanswered, Some(*next))
            }
            End::Fault { why, next } => (
                "deferred",
                "server_fault",
                why.as_str(),
                false,
                false,
                Some(*next),
            ),
            End::HeldBack => (
                "deferred",
                "held_back",
                held_back,
                false,
                false,
                Some(now + Duration::from_secs(1)),
            ),
            End::Deferred {
                why,
                next: None,
                unanswered,
            } => ("failed", "failed", why.as_str(), true, *unanswered, None),
            End::Refused(why) | End::Unsendable(why) => ("failed", "failed", why.as_str(), true, false, None),
            End::Unknown(why) => ("unknown", "unknown", why.as_str(), true, true, None),
        };
        let why = self.masked(why);
        let outcome = match (&self.end, next) {
            (_, Some(next)) => Outcome::Later(why.clone(), next.since(now).max(Duration::from_millis(1))),
            // The server's last word about this reader: the ledger keeps it, nobody needs the content.
            (End::Refused(_), _) => Outcome::Done,
            _ => Outcome::Fail(format!("{state}: {why}")),
        };
        Some(Ending {
            state,
            event,
            why,
            counts,
            unanswered,
            next,
            outcome,
        })
    }
}
