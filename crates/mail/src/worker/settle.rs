//! The end of a start: what the mail server said becomes what the ledger and the queue say.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use gatepost_messaging::{Ack, Outcome};
use gatepost_storage::deliveries_many::{self, Ended, Sent};
use gatepost_storage::delivery_events::NewEvent;
use gatepost_storage::outbox::Held;
use gatepost_storage::{Timestamp, Tx, delivery_decisions, delivery_events, fault};
use uuid::Uuid;

use super::clerk::Clerk;
use super::schedule::next_attempt;
use super::start::{Job, MAX_OPEN_DOTS};
use super::{Desk, later};
use crate::EmailAddress;
use crate::jitter::jittered;
use crate::queue::{LetterNews, MailError, NewsKind, Suppressor};
use crate::transport::{Accepted, Phase, SendError, Status};

/// After an unanswered dot the letter rests at least so long: if it was taken, its reader has it, and
/// a server that lost its answer may be itself again.
const AFTER_UNANSWERED: Duration = Duration::from_secs(30);
/// Tries of a letter to a full mailbox (x.2.2) after the first, and the least rest between them.
const FULL_MAILBOX: i64 = 2;
const AFTER_FULL: Duration = Duration::from_mins(30);
/// Faults at `MAIL` after which they count as the letter's, if the server takes others.
const SENDER_FAULTS: i64 = 5;
/// Longest rest of a letter that only meets faults of the server.
const LONGEST_FAULT: Duration = Duration::from_mins(5);
/// How long `sent` is tried to be noted when the database fails: as long as it may take to come back.
const NOTE_SENT: u32 = 240;

/// What a start came to.
#[derive(Debug, Clone)]
pub(super) enum End {
    /// Taken.
    Sent(Accepted),
    /// Refused for good; `gone`: because there is no such mailbox.
    Refused { why: String, gone: bool },
    /// The limits for its recipient's domain do not let it go yet.
    Limited { next: Timestamp },
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
        let now = self.clerk.mailer.store().now();
        let put_off = |why: String, unanswered: bool, least: Duration| {
            let next = next_attempt(now, job.attempts + 1, job.expires_at);
            let next = next.map(|next| next.max(now + jittered(least)));
            End::Deferred {
                why,
                next,
                unanswered,
            }
        };
        match outcome {
            Ok(accepted) => End::Sent(accepted),
            Err(SendError::Refused {
                phase, reply, status, ..
            }) => {
                // A full mailbox is emptied now and then: two more tries, far apart.
                if status.is_some_and(Status::is_mailbox_full) && job.attempts < FULL_MAILBOX {
                    return put_off(reply, false, AFTER_FULL);
                }
                let gone = phase == Phase::RcptTo && status.is_some_and(Status::names_no_mailbox);
                End::Refused { why: reply, gone }
            }
            Err(SendError::Deferred { detail, .. }) => put_off(detail, false, Duration::ZERO),
            Err(SendError::Unanswered { detail }) => {
                if job.open_dots + 1 >= MAX_OPEN_DOTS {
                    return End::Unknown(detail);
                }
                put_off(detail, true, AFTER_UNANSWERED)
            }
            Err(SendError::Server { phase, detail }) => {
                let why = format!("{phase}: {detail}");
                let paused = self.clerk.health.paused_until();
                // It takes others' letters: then it is this one's sender that it does not like.
                let its_own = job.faults >= SENDER_FAULTS || job.attempts > 0;
                if phase == Phase::MailFrom && paused.is_none() && its_own {
                    return put_off(why, false, Duration::ZERO);
                }
                let step = u32::try_from(job.faults).unwrap_or(u32::MAX).min(8);
                let rest = Duration::from_secs(1)
                    .saturating_mul(1 << step)
                    .min(LONGEST_FAULT);
                // When the servers are down, all wait for the pause and no longer.
                let next = paused.unwrap_or(now + jittered(rest)).max(now);
                End::Fault { why, next }
            }
            Err(SendError::HeldBack) => End::HeldBack,
        }
    }

    /// Writes it down, in one transaction with what the queue is told.
    pub(super) async fn settle(&self, job: &Job, ack: &Ack, end: End, dot_noted: bool) -> Outcome {
        self.report(job, &end);
        if matches!(end, End::Sent(_)) {
            fault::hit("mail.accepted");
        }
        #[cfg(feature = "testing")]
        if matches!(end, End::Sent(_)) {
            self.reached(super::FaultPoint::Accepted, job.id).await;
        }
        let sent = matches!(end, End::Sent(_));
        let note = Note {
            id: job.id,
            message_id: job.message_id,
            lease: job.lease,
            template: job.request.template().to_owned(),
            about: job.intent.as_ref().map(|intent| intent.about.key()),
            intent: job.intent.clone(),
            masked: (job.to.to_string(), job.to.masked()),
            to: job.to.clone(),
            suppressed: job.suppressed,
            end,
            dot_answered: dot_noted,
            ack: ack.clone(),
        };
        let mut tries = 0;
        loop {
            match self.steps.settle.ask(&self.clerk, note.clone()).await {
                Ok(outcome) => {
                    fault::hit(if sent { "mail.sent_noted" } else { "mail.end_noted" });
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

    /// One line in the log, and the counts.
    fn report(&self, job: &Job, end: &End) {
        let (id, template, attempt) = (job.id, job.request.template(), job.attempts + 1);
        if let Some(outcome) = self.outcome(end) {
            self.clerk.health.letter(template, outcome);
        }
        match end {
            End::Sent(_) => {
                self.clerk.health.count("sent");
                let now = self.clerk.mailer.store().now();
                self.clerk.health.waited(now.since(job.accepted_at));
                if job.open_dots > 0 {
                    self.clerk.health.count("possible_twin");
                }
                tracing::info!(%id, template, attempt, "a letter was sent");
            }
            End::Refused { .. } | End::Unsendable(_) | End::Deferred { next: None, .. } => {
                self.clerk.health.count("failed");
                tracing::warn!(%id, template, attempt, "a letter failed");
            }
            End::Deferred { .. } => {
                self.clerk.health.count("deferred");
                tracing::info!(%id, template, attempt, "a letter was put off");
            }
            End::Fault { .. } => {
                self.clerk.health.count("server_fault");
                tracing::warn!(%id, template, "the mail server is at fault; letters wait");
            }
            End::Unknown(_) => {
                self.clerk.health.count("unknown");
                tracing::error!(%id, template, "no answer after the final dot for the second time; a person must decide");
            }
            End::Limited { .. } => self.clerk.health.count("limited"),
            End::HeldBack => {}
        }
    }

    /// What the end of a start is called in metrics.
    fn outcome(&self, end: &End) -> Option<&'static str> {
        match end {
            End::Sent(_) if self.clerk.hands_over => Some("handed_over"),
            End::Sent(_) => Some("sent"),
            End::Refused { .. } | End::Unsendable(_) | End::Deferred { next: None, .. } => Some("failed"),
            End::Deferred { .. } => Some("deferred"),
            End::Fault { .. } => Some("server_fault"),
            End::Unknown(_) => Some("unknown"),
            End::Limited { .. } => Some("limited"),
            End::HeldBack => None,
        }
    }
}

impl Clerk {
    /// Writes down how starts ended, with what the queue is told of each.
    pub(super) async fn settle_all(
        &self,
        tx: &mut Tx<'_>,
        notes: &[Arc<Note>],
    ) -> Result<Vec<Outcome>, MailError> {
        let now = tx.now();
        let endings: Vec<Option<Ending>> = notes.iter().map(|note| note.ending(now)).collect();
        let (mut sent, mut ended) = (Vec::new(), Vec::new());
        for (note, ending) in notes.iter().zip(&endings) {
            match ending {
                Some(ending) => ended.push(note.ended(ending)),
                None => sent.push(note.sent()),
            }
        }
        let mut won: HashSet<Uuid> = HashSet::new();
        if !sent.is_empty() {
            let taken = deliveries_many::set_sent(tx, &sent).await?;
            if self.hands_over {
                deliveries_many::set_handed_over(tx, &taken).await?;
            }
            won.extend(taken);
        }
        if !ended.is_empty() {
            won.extend(deliveries_many::settle(tx, &ended).await?);
        }
        let said: HashMap<Uuid, &str> = sent.iter().map(|sent| (sent.id, sent.reply.as_str())).collect();
        let (mut events, mut acks, mut outcomes) = (Vec::new(), Vec::new(), Vec::new());
        let mut news = Vec::new();
        for (note, ending) in notes.iter().zip(&endings) {
            let won = won.contains(&note.id);
            let (event, detail, outcome) = match ending {
                None if self.hands_over => ("handed_over", said.get(&note.id).copied(), Outcome::Done),
                None => ("sent", said.get(&note.id).copied(), Outcome::Done),
                Some(ending) => (ending.event, Some(ending.why.as_str()), ending.outcome.clone()),
            };
            if won {
                let id = note.id;
                events.push(NewEvent { id, event, detail });
                // Nobody here will know whether it was sent.
                if ending.is_some() || !self.hands_over {
                    news.extend(note.news(ending.as_ref()));
                }
            }
            // Taken is taken, whoever noted it first. Of anything else, whoever took the letter over
            // meanwhile will say how it ends.
            if won || ending.is_none() {
                acks.push((note.ack.clone(), outcome.clone()));
                outcomes.push(outcome);
            } else {
                let wait = Duration::from_secs(1);
                outcomes.push(Outcome::Later("the letter's lease was lost".to_owned(), wait));
            }
        }
        delivery_events::note_many(tx, &events).await?;
        self.mailer.tell(tx, &news).await?;
        for (note, ending) in notes.iter().zip(&endings) {
            if !won.contains(&note.id) {
                continue;
            }
            match ending {
                None => {
                    if let Some(intent) = &note.intent {
                        self.accounts.sent(tx, intent, note.message_id).await?;
                    }
                    if note.suppressed {
                        self.mailer.clear_suppression_in(tx, &note.to).await?;
                    }
                }
                Some(ending) => {
                    if matches!(ending.outcome, Outcome::Fail(_)) {
                        delivery_decisions::set_dead(tx, note.id).await?;
                    }
                    if matches!(note.end, End::Refused { gone: true, .. }) {
                        let (to, by) = (&note.to, Suppressor::Refused);
                        self.mailer.suppress_in(tx, to, by, &ending.why).await?;
                    }
                }
            }
        }
        Ack::settle_all_in(tx, &acks).await?;
        Ok(outcomes)
    }
}

/// Everything that the transaction writes.
#[derive(Clone)]
pub(super) struct Note {
    id: Uuid,
    message_id: Uuid,
    lease: Uuid,
    template: String,
    /// As in the ledger.
    about: Option<String>,
    intent: Option<crate::queue::AccountIntent>,
    /// The address and its masked form: servers like to repeat it.
    masked: (String, String),
    to: EmailAddress,
    /// It went although its reader is to be left alone.
    suppressed: bool,
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
    fn sent(&self) -> Sent {
        let reply = self.masked(match &self.end {
            End::Sent(accepted) => format!("{} {}", accepted.code, accepted.text),
            _ => String::new(),
        });
        Sent { id: self.id, reply }
    }

    fn ended(&self, ending: &Ending) -> Ended {
        Ended {
            held: Held {
                id: self.id,
                lease: self.lease,
            },
            state: ending.state,
            counts: i64::from(ending.counts),
            fault: i64::from(ending.event == "server_fault"),
            dot_answered: i64::from(self.dot_answered && !ending.unanswered),
            next_attempt_at: ending.next,
            reply: ending.why.clone(),
        }
    }

    /// What other programs are told, if the letter has come to its end.
    fn news(&self, ending: Option<&Ending>) -> Option<LetterNews<'_>> {
        let (kind, state) = match ending.map(|ending| ending.state) {
            None => (NewsKind::Sent, "sent"),
            Some(state @ ("failed" | "unknown")) => (NewsKind::Failed, state),
            Some(_) => return None,
        };
        Some(LetterNews {
            kind,
            id: self.id,
            message_id: self.message_id,
            template: &self.template,
            about: self.about.as_deref(),
            state,
        })
    }

    fn masked(&self, text: impl AsRef<str>) -> String {
        text.as_ref().replace(&self.masked.0, &self.masked.1)
    }

    /// How the start ended; none if the letter was taken.
    fn ending(&self, now: Timestamp) -> Option<Ending> {
        let held_back = "the final dot was held back: the lease was lost, or the dot could not be noted";
        let limited = "mail.smtp.domain_rate or domain_connections: the next place in the row is later";
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
            End::Limited { next } => ("deferred", "limited", limited, false, false, Some(*next)),
            End::Deferred {
                why,
                next: None,
                unanswered,
            } => ("failed", "failed", why.as_str(), true, *unanswered, None),
            End::Refused { why, .. } | End::Unsendable(why) => {
                ("failed", "failed", why.as_str(), true, false, None)
            }
            End::Unknown(why) => ("unknown", "unknown", why.as_str(), true, true, None),
        };
        let why = self.masked(why);
        let outcome = match (&self.end, next) {
            (_, Some(next)) => Outcome::Later(why.clone(), next.since(now).max(Duration::from_millis(1))),
            // The server's last word about this reader: the ledger keeps it, nobody needs the content.
            (End::Refused { .. }, _) => Outcome::Done,
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
