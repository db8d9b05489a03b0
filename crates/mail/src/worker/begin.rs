//! Many starts in one transaction: what the ledger says of each letter, and what is noted.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use gatepost_messaging::Outcome;
use gatepost_storage::deliveries::{self, DeliveryRow, NewDelivery};
use gatepost_storage::deliveries_foreign::Foreign;
use gatepost_storage::delivery_events::NewEvent;
use gatepost_storage::{
    Timestamp, Tx, deliveries_many, delivery_decisions, delivery_events, new_id, suppressions,
};
use uuid::Uuid;

use super::LEASE;
use super::brake::PAUSED;
use super::clerk::Clerk;
use super::left_alone::LeftAlone;
use super::start::{Asked, Facts, Job, MAX_OPEN_DOTS, MAX_OPEN_STARTS, Said, Start, busy};
use crate::EmailAddress;
use crate::queue::{AccountIntent, LetterNews, MailError, Resolution};
use crate::wire::MailRequest;

/// A letter that may go as far as its own row says.
struct Ready<'a> {
    nth: usize,
    asked: &'a Asked,
    row: DeliveryRow,
    to: EmailAddress,
    request: Arc<MailRequest>,
    intent: Option<AccountIntent>,
    /// Its reader is to be left alone; it goes all the same, being the day's account letter.
    suppressed: bool,
}

enum Resolve<'a> {
    Ready(Box<Ready<'a>>),
    Settled(Start),
}

impl Clerk {
    /// Starts what may go, all under one lease token, in a few statements however many they are.
    pub(super) async fn start_all(
        &self,
        tx: &mut Tx<'_>,
        asked: &[Arc<Asked>],
    ) -> Result<Vec<Start>, MailError> {
        let mut starts = self.begin_fresh(tx, asked).await?;
        let open: Vec<usize> = (0..asked.len()).filter(|nth| starts[*nth].is_none()).collect();
        if open.is_empty() {
            return Ok(starts.into_iter().flatten().collect());
        }
        let known: Vec<Arc<Asked>> = open.iter().map(|nth| Arc::clone(&asked[*nth])).collect();
        let mut rows = self.rows(tx, &known).await?;
        let mut ready: Vec<Ready<'_>> = Vec::with_capacity(known.len());
        for (nth, asked) in open.into_iter().map(|nth| (nth, &asked[nth])) {
            // Without a row: a second copy of the same message came at the same moment.
            starts[nth] = match rows.remove(&asked.id) {
                None => Some(busy()),
                Some(row) => match self.may_go(tx, asked, &row).await? {
                    Some(settled) => Some(settled),
                    None => match self.resolve(tx, asked, row, nth).await? {
                        Resolve::Ready(one) => {
                            ready.push(*one);
                            None
                        }
                        Resolve::Settled(settled) => Some(settled),
                    },
                },
            };
        }
        let ready = self.without_suppressed(tx, ready, &mut starts).await?;
        if !ready.is_empty() {
            self.note_starts(tx, ready, &mut starts).await?;
        }
        Ok(starts
            .into_iter()
            .map(|start| start.unwrap_or_else(busy))
            .collect())
    }

    /// Whether the ledger lets the letter go; if not, what becomes of it.
    async fn may_go(
        &self,
        tx: &mut Tx<'_>,
        asked: &Asked,
        row: &DeliveryRow,
    ) -> Result<Option<Start>, MailError> {
        let now = tx.now();
        let late = row.expires_at.is_some_and(|at| at <= now);
        let begins = matches!(row.state.as_str(), "waiting" | "deferred" | "sending");
        if begins && !late && self.brake.holds(&row.template) {
            let outcome = Outcome::Later("its template is paused".to_owned(), PAUSED);
            return Ok(Some(Start::Settled(outcome)));
        }
        match row.state.as_str() {
            // A copy that came early: one of several, or one that another broker had.
            "deferred" if let Some(wait) = too_early(row, now) => {
                let outcome = Outcome::Later("its next try is later".to_owned(), wait);
                return Ok(Some(Start::Settled(outcome)));
            }
            "waiting" | "deferred" => {}
            "sending" => {
                if let Some(until) = row.lease_until.filter(|until| *until > now) {
                    let wait = until.since(now) + Duration::from_millis(1);
                    let outcome = Outcome::Later("somebody else is sending it".to_owned(), wait);
                    return Ok(Some(Start::Settled(outcome)));
                }
                let how = if row.open_dots > 0 {
                    "after a final dot was noted: a copy may be on its way"
                } else {
                    "before the final dot"
                };
                delivery_events::note(tx, row.id, "interrupted", Some(how)).await?;
            }
            // A dead letter that somebody put back on the queue: it begins anew.
            "failed" | "unknown" if asked.replayed_at.is_some_and(|at| at >= row.updated_at) => {
                delivery_events::note(tx, row.id, "replayed", None).await?;
            }
            // Sent, or ended for good: whatever comes after that is a copy.
            _ => return self.drop_copy(tx, asked, row).await.map(Some),
        }
        if late {
            let late = "it was too late to send it";
            return Ok(Some(self.skip(tx, asked, row, "expired", late).await?));
        }
        if row.state == "sending" && row.open_dots >= MAX_OPEN_DOTS {
            let why = "twice no answer was noted after the final dot";
            return Ok(Some(self.give_up(tx, asked, row, "unknown", why).await?));
        }
        if row.state == "sending" && row.open_starts >= MAX_OPEN_STARTS {
            let why = "five starts in a row came to no end";
            return Ok(Some(self.give_up(tx, asked, row, "failed", why).await?));
        }
        Ok(None)
    }

    /// A letter that has ended came again from the queue: a copy that was on its way meanwhile, or a message
    /// whose acknowledgement was lost. It starts nothing; what belongs among the dead letters goes there.
    async fn drop_copy(&self, tx: &mut Tx<'_>, asked: &Asked, row: &DeliveryRow) -> Result<Start, MailError> {
        // One that was taken back may have been in hand then: that is no copy.
        if row.state != "cancelled" {
            delivery_events::note(tx, row.id, "copy_dropped", None).await?;
            self.health.count("duplicate");
        }
        let outcome = if row.dead == 1 {
            let reply = row.reply.as_deref().unwrap_or_default();
            Outcome::Fail(format!("{}: {reply}", row.state))
        } else {
            Outcome::Done
        };
        asked.ack.settle_in(tx, &outcome).await?;
        Ok(Start::Settled(outcome))
    }

    /// To whom it goes and what it says; an account letter is made now.
    async fn resolve<'a>(
        &self,
        tx: &mut Tx<'_>,
        asked: &'a Asked,
        row: DeliveryRow,
        nth: usize,
    ) -> Result<Resolve<'a>, MailError> {
        let intent = match &asked.said {
            Said::Letter { to, request, .. } => {
                return Ok(Resolve::Ready(Box::new(Ready {
                    nth,
                    asked,
                    row,
                    to: to.clone(),
                    request: Arc::clone(request),
                    intent: None,
                    suppressed: false,
                })));
            }
            Said::Intent(intent) => intent,
        };
        if intent.replaces_older && deliveries::has_newer(tx, &row).await? {
            let why = "it was asked for again";
            return Ok(Resolve::Settled(
                self.skip(tx, asked, &row, "superseded", why).await?,
            ));
        }
        let resolved = match self.accounts.resolve(tx, intent, row.message_id).await? {
            Resolution::Send(resolved) => resolved,
            Resolution::Skip(why) => {
                return Ok(Resolve::Settled(
                    self.skip(tx, asked, &row, "cancelled", &why).await?,
                ));
            }
        };
        let serde_json::Value::Object(data) = resolved.data else {
            let why = "its data is no object";
            return Ok(Resolve::Settled(
                self.give_up(tx, asked, &row, "failed", why).await?,
            ));
        };
        let locale = resolved.locale.unwrap_or_else(|| intent.locale.clone());
        let request = MailRequest::of_template(resolved.to.clone(), &intent.letter, data, locale);
        Ok(Resolve::Ready(Box::new(Ready {
            nth,
            asked,
            row,
            to: resolved.to,
            request: Arc::new(request),
            intent: Some((**intent).clone()),
            suppressed: false,
        })))
    }

    /// Takes out who is left alone. One account letter a day goes to them all the same: without it nobody
    /// gets in, and the address may be good again.
    async fn without_suppressed<'a>(
        &self,
        tx: &mut Tx<'_>,
        ready: Vec<Ready<'a>>,
        starts: &mut [Option<Start>],
    ) -> Result<Vec<Ready<'a>>, MailError> {
        let left_alone = LeftAlone::among(tx, self.mailer.sealer(), ready.iter().map(|one| &one.to)).await?;
        let mut going = Vec::with_capacity(ready.len());
        for (place, mut one) in ready.into_iter().enumerate() {
            let Some((hash, reason)) = left_alone.of(place) else {
                going.push(one);
                continue;
            };
            let id = one.row.id;
            if one.intent.is_some() && suppressions::let_through(tx, hash, id).await? {
                delivery_events::note(tx, id, "let_through", Some(reason)).await?;
                one.suppressed = true;
                going.push(one);
            } else {
                let settled = self.skip(tx, one.asked, &one.row, "suppressed", reason).await?;
                starts[one.nth] = Some(settled);
            }
        }
        Ok(going)
    }

    /// Notes the starts; whoever does not win its row leaves it to somebody else.
    async fn note_starts(
        &self,
        tx: &mut Tx<'_>,
        ready: Vec<Ready<'_>>,
        starts: &mut [Option<Start>],
    ) -> Result<(), MailError> {
        for one in &ready {
            if one.intent.is_some() && one.row.recipient.is_none() {
                let hash = self.mailer.sealer().address_hash(&one.to);
                deliveries::set_recipient(tx, one.row.id, &one.to.masked(), &hash).await?;
            }
        }
        let (now, lease) = (tx.now(), new_id(tx.now()));
        let ids: Vec<Uuid> = ready.iter().map(|one| one.row.id).collect();
        let won: HashSet<Uuid> = deliveries_many::start(tx, &ids, lease, now + LEASE)
            .await?
            .into_iter()
            .collect();
        let first =
            |one: &&Ready<'_>| won.contains(&one.row.id) && one.row.attempts == 0 && one.row.faults == 0;
        let events: Vec<NewEvent<'_>> = ready
            .iter()
            .filter(first)
            .map(|one| event(one.row.id, "sending"))
            .collect();
        delivery_events::note_many(tx, &events).await?;
        for one in ready {
            if !won.contains(&one.row.id) {
                continue;
            }
            let anew = matches!(one.row.state.as_str(), "failed" | "unknown");
            starts[one.nth] = Some(Start::Send(Box::new(Job {
                id: one.row.id,
                message_id: one.row.message_id,
                lease,
                to: one.to,
                request: one.request,
                intent: one.intent,
                attempts: if anew { 0 } else { one.row.attempts },
                open_dots: if anew { 0 } else { one.row.open_dots },
                faults: one.row.faults,
                started_at: now,
                accepted_at: one.row.created_at,
                expires_at: one.row.expires_at,
                suppressed: one.suppressed,
            })));
        }
        Ok(())
    }

    /// The ledger's rows; made now for mail that others put on the queue.
    async fn rows(
        &self,
        tx: &mut Tx<'_>,
        asked: &[Arc<Asked>],
    ) -> Result<HashMap<Uuid, DeliveryRow>, MailError> {
        let by_id = |rows: Vec<DeliveryRow>| rows.into_iter().map(|row| (row.id, row));
        // What has an id that was just made has no row yet; unless this runs again, and then it is found below.
        let known = asked.iter().filter(|asked| !asked.is_new).map(|asked| asked.id);
        let known: Vec<Uuid> = known.collect();
        let mut rows: HashMap<Uuid, DeliveryRow> = match known.as_slice() {
            [] => HashMap::new(),
            known => by_id(deliveries_many::get(tx, known).await?).collect(),
        };
        let missing: Vec<&Arc<Asked>> = asked
            .iter()
            .filter(|asked| !rows.contains_key(&asked.id))
            .collect();
        if missing.is_empty() {
            return Ok(rows);
        }
        let facts: Vec<Facts> = missing
            .iter()
            .map(|asked| asked.facts(self.mailer.sealer()))
            .collect();
        let new: Vec<(NewDelivery<'_>, Option<&Foreign>)> = missing
            .iter()
            .zip(&facts)
            .map(|(asked, facts)| (asked.new_delivery(facts), asked.foreign.as_ref()))
            .collect();
        let made = deliveries_many::insert(tx, &new).await?;
        let events: Vec<NewEvent<'_>> = made.iter().map(|row| event(row.id, "queued")).collect();
        delivery_events::note_many(tx, &events).await?;
        rows.extend(by_id(made));
        let others = missing.iter().map(|asked| asked.id);
        let others: Vec<Uuid> = others.filter(|id| !rows.contains_key(id)).collect();
        if !others.is_empty() {
            rows.extend(by_id(deliveries_many::get(tx, &others).await?));
        }
        Ok(rows)
    }

    /// Ends a letter that needs no sending; its message is done.
    async fn skip(
        &self,
        tx: &mut Tx<'_>,
        asked: &Asked,
        row: &DeliveryRow,
        state: &str,
        reason: &str,
    ) -> Result<Start, MailError> {
        if deliveries::end(tx, row.id, state, reason).await? {
            delivery_events::note(tx, row.id, state, Some(reason)).await?;
            if matches!(state, "suppressed" | "expired") {
                self.mailer.tell(tx, &[LetterNews::failed(row, state)]).await?;
            }
            self.health.count("skipped");
            self.health.letter(&row.template, state);
        }
        asked.ack.done_in(tx).await?;
        Ok(Start::Settled(Outcome::Done))
    }

    /// Ends a letter for a person to decide: a dead letter.
    async fn give_up(
        &self,
        tx: &mut Tx<'_>,
        asked: &Asked,
        row: &DeliveryRow,
        state: &str,
        reason: &str,
    ) -> Result<Start, MailError> {
        if deliveries::end(tx, row.id, state, reason).await? {
            delivery_decisions::set_dead(tx, row.id).await?;
            delivery_events::note(tx, row.id, state, Some(reason)).await?;
            self.mailer.tell(tx, &[LetterNews::failed(row, state)]).await?;
            self.health.letter(&row.template, state);
        }
        let outcome = Outcome::Fail(format!("{state}: {reason}"));
        asked.ack.settle_in(tx, &outcome).await?;
        Ok(Start::Settled(outcome))
    }
}

/// How long until a letter that was put off is due, unless it is nearly: delays on a broker are rounded.
fn too_early(row: &DeliveryRow, now: Timestamp) -> Option<Duration> {
    let due = row.next_attempt_at.filter(|due| *due > now)?;
    let slack = (due.since(row.updated_at) / 5).max(Duration::from_secs(2));
    Some(due.since(now)).filter(|left| *left > slack)
}

fn event(id: Uuid, event: &'static str) -> NewEvent<'static> {
    NewEvent {
        id,
        event,
        detail: None,
    }
}
