//! A relay tells one receiver of events, one after another, and keeps its place in the database.

use std::time::Duration;

use gatepost_storage::event_cursors::{self, CursorRow, Moved};
use gatepost_storage::{Timestamp, new_id};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{Event, Events};
use crate::{Error, Random, Retry};

/// A process that died keeps others from telling for so long.
const LEASE: Duration = Duration::from_secs(60);
/// How often a relay with nothing to tell looks without having been woken, and keeps its lease.
const LOOK: Duration = Duration::from_secs(15);
/// Under load, events are gathered for so long: each look costs a few statements.
const GATHER: Duration = Duration::from_millis(20);
/// How many events are read at a time.
const BATCH: u32 = 200;
/// A relay that passes over events of other kinds notes so only after so many: looking at them again costs little.
const PASSED_OVER: i64 = 1_000;
/// After a failure of the database.
const AGAIN: Duration = Duration::from_secs(2);

/// Whom a relay tells.
pub trait Receiver: Send + Sync {
    /// Tells of these events, in order; how many of them were told, and why the next one was not.
    fn tell(&self, events: &[Event]) -> impl Future<Output = Told> + Send;
}

/// What came of telling.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// So many of the events, from the first on.
    pub events: usize,
    /// Why the next one was not; none if all were told.
    pub failure: Option<Failure>,
}

impl Told {
    /// All of them.
    pub fn all(events: &[Event]) -> Self {
        Self {
            events: events.len(),
            failure: None,
        }
    }
}

/// Why an event could not be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// In words, without secrets.
    pub why: String,
    /// Who is at fault.
    pub fault: Fault,
    /// When the receiver wants to be asked again.
    pub retry_after: Option<Duration>,
}

/// Who is at fault for a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It can't be reached, takes too long or is broken: other events would fare no better.
    Receiver,
    /// It refuses this event.
    Event,
}

/// When a failed event is told again, and how long it is tried.
#[derive(Clone, Debug, PartialEq)]
pub struct Backoff {
    /// The delays. How many tries there are is for `give_up_after` to say.
    pub retry: Retry,
    /// After so long an event is given up. None: it is tried for as long as it is kept.
    pub give_up_after: Option<Duration>,
}

/// Tells one receiver of events. However many processes run a relay of one name, one of them tells.
#[derive(Clone, Debug)]
pub struct Relay {
    events: Events,
    name: String,
    kinds: Option<Vec<String>>,
    at_once: usize,
    backoff: Backoff,
    random: Random,
    lease: Uuid,
}

/// A cursor in hand.
struct Held {
    row: CursorRow,
    /// How far was looked; further than the row if events of other kinds were passed over.
    looked: i64,
}

/// What to do after a turn.
#[derive(Debug, PartialEq, Eq)]
enum Next {
    More,
    Idle,
    At(Timestamp),
    /// Another process tells.
    Elsewhere,
}

impl Relay {
    /// A relay that keeps its place under `name`. A name that is new begins with what happens from now on.
    pub fn new(events: &Events, name: impl Into<String>, backoff: Backoff) -> Self {
        Self {
            lease: new_id(events.store.now()),
            events: events.clone(),
            name: name.into(),
            kinds: None,
            at_once: 1,
            backoff,
            random: Random::system(),
        }
    }

    /// Only events of these types.
    #[must_use]
    pub fn only(mut self, kinds: Vec<String>) -> Self {
        self.kinds = Some(kinds);
        self
    }

    /// So many events are given to the receiver at once; one by default. A process that dies tells at most so many
    /// a second time.
    #[must_use]
    pub fn at_once(mut self, events: usize) -> Self {
        self.at_once = events.max(1);
        self
    }

    /// Takes jitter from somewhere else, for tests.
    #[must_use]
    pub fn with_random(mut self, random: Random) -> Self {
        self.random = random;
        self
    }

    /// Tells until `stop`, then gives the place to another process. A database that is away is waited for.
    pub async fn run_until<R: Receiver>(&self, receiver: &R, stop: CancellationToken) {
        let mut wakeups = self.events.wakeups();
        let mut held = None;
        while !stop.is_cancelled() {
            let next = self.turn(receiver, &mut held, &stop).await;
            let now = self.events.store.now();
            let wait = async {
                match next {
                    Ok(Next::More) => {}
                    Ok(Next::Idle) => {
                        let look = self.events.store.sleep_until(now + LOOK);
                        tokio::select! { () = wakeups.wait() => {}, () = look => {} }
                        tokio::time::sleep(GATHER).await;
                    }
                    Ok(Next::At(then)) => self.events.store.sleep_until(then.min(now + LOOK)).await,
                    Ok(Next::Elsewhere) => self.events.store.sleep_until(now + LOOK).await,
                    Err(error) => {
                        held = None;
                        tracing::warn!(relay = self.name, %error, "events can't be told now; trying again");
                        tokio::time::sleep(AGAIN).await;
                    }
                }
            };
            tokio::select! { () = wait => {}, () = stop.cancelled() => break }
        }
        if held.is_some()
            && let Err(error) = self.release().await
        {
            tracing::debug!(relay = self.name, %error, "the relay was not given back; its lease ends by itself");
        }
    }

    /// Gives the place to another process at once.
    async fn release(&self) -> Result<(), Error> {
        let (name, lease) = (self.name.clone(), self.lease);
        let released = self.events.store.run_tx("release_relay", move |tx| {
            let name = name.clone();
            Box::pin(async move { event_cursors::release(tx, &name, lease).await })
        });
        Ok(released.await?)
    }

    /// Tells what can be told now, and returns.
    ///
    /// # Errors
    /// The database's.
    pub async fn run_pending<R: Receiver>(&self, receiver: &R) -> Result<(), Error> {
        let mut held = None;
        let stop = CancellationToken::new();
        while self.turn(receiver, &mut held, &stop).await? == Next::More {}
        if held.is_some() {
            self.release().await?;
        }
        Ok(())
    }

    async fn turn<R: Receiver>(
        &self,
        receiver: &R,
        held: &mut Option<Held>,
        stop: &CancellationToken,
    ) -> Result<Next, Error> {
        let Some(mine) = self.hold(held).await? else {
            return Ok(Next::Elsewhere);
        };
        if let Some(then) = mine.row.next_try_at
            && then > self.events.store.now()
        {
            return Ok(Next::At(then));
        }
        let looked = mine.looked;
        let (events, numbers) = self.events.read(looked, self.kinds.as_deref(), BATCH).await?;
        if looked < numbers.swept {
            return self.swept(held, numbers.swept).await;
        }
        if events.is_empty() {
            return self.passed_over(held, numbers.last).await;
        }
        let full = events.len() == BATCH as usize;
        for some in events.chunks(self.at_once) {
            if self.hold(held).await?.is_none() {
                return Ok(Next::Elsewhere);
            }
            let told = receiver.tell(some).await;
            if let Some(last) = told.events.checked_sub(1).and_then(|last| some.get(last)) {
                let moved = Moved {
                    position: last.number,
                    delivered: i64::try_from(told.events).unwrap_or(i64::MAX),
                    ..Moved::default()
                };
                if !self.advance(held, moved).await? {
                    return Ok(Next::Elsewhere);
                }
            }
            if let Some(failure) = told.failure {
                let Some(next) = some.get(told.events) else {
                    continue;
                };
                return self.failed(held, next, failure).await;
            }
            if stop.is_cancelled() {
                return Ok(Next::Idle);
            }
        }
        Ok(if full { Next::More } else { Next::Idle })
    }

    /// There was nothing to tell up to `last`.
    async fn passed_over(&self, held: &mut Option<Held>, last: i64) -> Result<Next, Error> {
        let Some(mine) = held else {
            return Ok(Next::Elsewhere);
        };
        mine.looked = mine.looked.max(last);
        let position = mine.looked;
        if position - mine.row.position >= PASSED_OVER {
            let moved = Moved {
                position,
                ..Moved::default()
            };
            self.advance(held, moved).await?;
        }
        Ok(Next::Idle)
    }

    /// Takes the cursor, or makes sure that it is ours for long enough to tell somebody.
    async fn hold<'h>(&self, held: &'h mut Option<Held>) -> Result<Option<&'h mut Held>, Error> {
        let now = self.events.store.now();
        if held
            .as_ref()
            .is_none_or(|held| held.row.lease_until < now + LEASE / 2)
        {
            let (name, lease) = (self.name.clone(), self.lease);
            let claimed = self.events.store.run_tx("claim_relay", move |tx| {
                let name = name.clone();
                Box::pin(async move { event_cursors::claim(tx, &name, lease, tx.now() + LEASE).await })
            });
            let looked = held.as_ref().map(|held| held.looked);
            *held = claimed.await?.map(|row| Held {
                looked: looked.unwrap_or(row.position).max(row.position),
                row,
            });
        }
        Ok(held.as_mut())
    }

    /// Moves on; false if somebody else has the cursor by now.
    async fn advance(&self, held: &mut Option<Held>, moved: Moved) -> Result<bool, Error> {
        let (name, lease) = (self.name.clone(), self.lease);
        let won = self.events.store.run_tx("advance_relay", move |tx| {
            let name = name.clone();
            Box::pin(async move { event_cursors::advance(tx, &name, lease, moved).await })
        });
        if !won.await? {
            *held = None;
            return Ok(false);
        }
        if let Some(held) = held {
            if held.row.attempts > 0 && !moved.still_failing {
                tracing::info!(relay = self.name, "events are told again");
            }
            held.row.position = moved.position;
            held.looked = held.looked.max(moved.position);
            if !moved.still_failing {
                (held.row.attempts, held.row.failing_since, held.row.next_try_at) = (0, None, None);
            }
        }
        Ok(true)
    }

    /// An event could not be told: when to try again, and whether it is time to give up.
    async fn failed(&self, held: &mut Option<Held>, event: &Event, failure: Failure) -> Result<Next, Error> {
        let now = self.events.store.now();
        let Some(row) = held.as_ref().map(|held| held.row.clone()) else {
            return Ok(Next::Elsewhere);
        };
        let since = row.failing_since.unwrap_or(now);
        if row.attempts == 0 {
            let why = failure.why.as_str();
            tracing::warn!(relay = self.name, event = %event.id, why, "an event could not be told; trying again");
        }
        if self.is_over(event, since, now) {
            match failure.fault {
                Fault::Event => {
                    self.report_given_up(1, &failure.why);
                    let moved = Moved {
                        position: event.number,
                        given_up: 1,
                        ..Moved::default()
                    };
                    let won = self.advance(held, moved).await?;
                    return Ok(if won { Next::More } else { Next::Elsewhere });
                }
                Fault::Receiver => {
                    if !self.give_up(held, since, now, &failure.why).await? {
                        return Ok(Next::Elsewhere);
                    }
                }
            }
        }
        let then = now + self.delay(row.attempts, failure.retry_after);
        let (name, lease, why) = (self.name.clone(), self.lease, failure.why);
        let noted = self.events.store.run_tx("note_failed_event", move |tx| {
            let (name, why) = (name.clone(), why.clone());
            Box::pin(async move { event_cursors::failed(tx, &name, lease, then, &why).await })
        });
        if !noted.await? {
            *held = None;
            return Ok(Next::Elsewhere);
        }
        if let Some(held) = held {
            held.row.attempts += 1;
            held.row.failing_since = Some(since);
            held.row.next_try_at = Some(then);
        }
        Ok(Next::At(then))
    }

    /// Gives up whatever the receiver could not be told for too long; false if the cursor is somebody else's.
    async fn give_up(
        &self,
        held: &mut Option<Held>,
        since: Timestamp,
        now: Timestamp,
        why: &str,
    ) -> Result<bool, Error> {
        let mut given_up = 0_usize;
        while let Some(position) = held.as_ref().map(|held| held.row.position) {
            let (events, _) = self.events.read(position, self.kinds.as_deref(), BATCH).await?;
            let over = events
                .iter()
                .take_while(|event| self.is_over(event, since, now))
                .count();
            let Some(last) = over.checked_sub(1).and_then(|last| events.get(last)) else {
                break;
            };
            let moved = Moved {
                position: last.number,
                given_up: i64::try_from(over).unwrap_or(i64::MAX),
                delivered: 0,
                still_failing: true,
            };
            if !self.advance(held, moved).await? {
                break;
            }
            given_up += over;
            if over < events.len() {
                break;
            }
        }
        if given_up > 0 {
            self.report_given_up(given_up, why);
        }
        Ok(held.is_some())
    }

    /// Whether an event has been tried for long enough: since it could be told, or since the receiver began to fail.
    fn is_over(&self, event: &Event, failing_since: Timestamp, now: Timestamp) -> bool {
        self.backoff
            .give_up_after
            .is_some_and(|limit| event.numbered_at.max(failing_since) + limit <= now)
    }

    /// Events were swept before they could be told.
    async fn swept(&self, held: &mut Option<Held>, swept: i64) -> Result<Next, Error> {
        let Some(position) = held.as_ref().map(|held| held.row.position) else {
            return Ok(Next::Elsewhere);
        };
        let lost = swept - position;
        if self.kinds.is_none() {
            tracing::error!(
                relay = self.name,
                lost,
                "events were swept (retention.events) before they could be told"
            );
        } else {
            tracing::warn!(
                relay = self.name,
                "events were swept (retention.events) before this relay looked at them"
            );
        }
        let moved = Moved {
            position: swept,
            // Of some kinds only, nobody knows how many of them were meant.
            given_up: if self.kinds.is_none() { lost } else { 0 },
            delivered: 0,
            still_failing: true,
        };
        let won = self.advance(held, moved).await?;
        Ok(if won { Next::More } else { Next::Elsewhere })
    }

    fn report_given_up(&self, events: usize, why: &str) {
        tracing::error!(
            relay = self.name,
            events,
            why,
            "events were given up: they could not be told for too long"
        );
    }

    fn delay(&self, attempts: i64, asked: Option<Duration>) -> Duration {
        let failed = u32::try_from(attempts).unwrap_or(u32::MAX).saturating_add(1);
        let longest = self.backoff.retry.delays().last().copied().unwrap_or(LOOK);
        let delay = self.backoff.retry.delay(failed, self.random.next());
        // A receiver may ask for more patience, but not for ever.
        delay.max(asked.unwrap_or_default().min(longest))
    }
}
