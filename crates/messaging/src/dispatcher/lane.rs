//! One window after the other: take, publish, note.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use futures_util::FutureExt;
use gatepost_storage::dead_letters::{self, Burial};
use gatepost_storage::outbox::{Held, OutboxRow};
use gatepost_storage::outbox_claims::{self, Again};
use gatepost_storage::outbox_handed::{self, Handed, Take};
use gatepost_storage::{Store, Timestamp, Tx, Wakeups, fault, new_id};
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::Plan;
use super::health::Counted;
use crate::queues::DeadLetter;
use crate::{Body, DeadReason, Envelope, Error, Outgoing, Priority, PublishError, Route, TOPIC};

/// Bodies of a window in bytes, about.
const BYTES: i64 = 16 * 1024 * 1024;
/// How long a message that the broker did not take waits for the next try; doubled up to the longest.
const FIRST_REST: Duration = Duration::from_millis(500);
const LONGEST_REST: Duration = Duration::from_secs(30);
/// How long it is believed that the broker has a message; doubled with each time it is handed over.
const FIRST_DOUBT: Duration = Duration::from_secs(10);
const LONGEST_DOUBT: Duration = Duration::from_hours(1);
/// The same trouble of a queue is reported so often.
const REPORT_EVERY: Duration = Duration::from_secs(60);
/// Pause after finding rows that others had locked.
const OTHERS_WERE_FASTER: Duration = Duration::from_millis(2);
/// How often the end of a window is tried to be noted while the database is away.
const TRIES: u32 = 8;

/// Whose turn it is to take: one lane looks while the others publish.
pub(super) struct Turn {
    wakes: Mutex<Wakeups>,
    troubles: RwLock<HashMap<String, Trouble>>,
}

/// A queue that the broker does not take messages for.
#[derive(Clone, Copy)]
struct Trouble {
    times: u32,
    reported_at: Timestamp,
}

impl Turn {
    pub(super) fn new(store: &Store) -> Self {
        Self {
            wakes: Mutex::new(store.subscribe(TOPIC)),
            troubles: RwLock::default(),
        }
    }

    /// Notes that a queue took messages, or that it did not; how long its messages rest, and whether to say so.
    fn trouble(&self, queue: &str, failed: bool, now: Timestamp) -> (Duration, bool) {
        let mut troubles = self.troubles.write().unwrap_or_else(PoisonError::into_inner);
        if !failed {
            troubles.remove(queue);
            return (Duration::ZERO, false);
        }
        let first = Trouble {
            times: 0,
            reported_at: now - REPORT_EVERY,
        };
        let trouble = troubles.entry(queue.to_owned()).or_insert(first);
        let rest = FIRST_REST
            .saturating_mul(1 << trouble.times.min(8))
            .min(LONGEST_REST);
        trouble.times = trouble.times.saturating_add(1);
        let report = now >= trouble.reported_at + REPORT_EVERY;
        if report {
            trouble.reported_at = now;
        }
        (rest, report)
    }
}

/// Works until `stop`.
pub(super) async fn run(plan: &Plan, turn: &Turn, stop: &CancellationToken) {
    let mut failures = 0_u32;
    loop {
        match next(plan, turn, stop).await {
            // What was taken is brought to its end whatever happens.
            Ok(Some(rows)) => {
                failures = 0;
                bring(plan, turn, rows).await;
            }
            Ok(None) => return,
            Err(error) => {
                failures += 1;
                tracing::warn!(%error, failures, "messages could not be taken from the outbox, trying again");
                let pause = Duration::from_millis(100 << failures.min(6));
                if tokio::time::timeout(pause, stop.cancelled()).await.is_ok() {
                    return;
                }
            }
        }
    }
}

/// Takes, publishes and notes one window; how many messages were in it.
pub(super) async fn once(plan: &Plan, turn: &Turn) -> Result<usize, Error> {
    let look = look(plan).await?;
    let rows = if look.ready.is_empty() {
        Vec::new()
    } else {
        take(plan, &look.ready).await?
    };
    let count = rows.len();
    if count > 0 {
        bring(plan, turn, rows).await;
    }
    Ok(count)
}

/// Waits until the broker takes messages and there are some, and takes them; `None` at `stop`, which never cuts off
/// the taking itself: what it took would be out of sight until the lease ends.
async fn next(plan: &Plan, turn: &Turn, stop: &CancellationToken) -> Result<Option<Vec<OutboxRow>>, Error> {
    let mut health = plan.broker.watch_health();
    let Some(mut wakes) = stop.run_until_cancelled(turn.wakes.lock()).await else {
        return Ok(None);
    };
    loop {
        let open = health.wait_for(|health| health.connected && health.blocked.is_none());
        match stop.run_until_cancelled(open).await {
            Some(Ok(_)) => {}
            Some(Err(_)) => return Err(Error::Closed),
            None => return Ok(None),
        }
        let look = look(plan).await?;
        if !look.ready.is_empty() {
            let rows = take(plan, &look.ready).await?;
            if !rows.is_empty() {
                return Ok(Some(rows));
            }
        }
        let due = async {
            match look.next {
                // Others were faster, or have them locked.
                _ if !look.ready.is_empty() => tokio::time::sleep(OTHERS_WERE_FASTER).await,
                Some(next) => plan.store.sleep_until(next).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            () = stop.cancelled() => return Ok(None),
            () = wakes.wait() => {}
            () = due => {}
            () = tokio::time::sleep(plan.poll) => {}
        }
    }
}

struct Look {
    ready: Vec<String>,
    next: Option<Timestamp>,
}

pub(super) async fn queues(store: &Store) -> Result<Vec<String>, Error> {
    Ok(store
        .read("look_for_queues", |tx| Box::pin(outbox_handed::queues(tx)))
        .await?)
}

/// Which queues have something to publish, and when the next message comes due.
async fn look(plan: &Plan) -> Result<Look, Error> {
    let except = Arc::clone(&plan.except);
    let look = plan.store.read("look_for_messages", move |tx| {
        async move {
            let (mut ready, mut next) = (Vec::new(), None::<Timestamp>);
            for queue in outbox_handed::queues(tx).await? {
                if except.contains(&queue) {
                    continue;
                }
                let look = outbox_claims::look(tx, &queue).await?;
                next = [next, look.next].into_iter().flatten().min();
                if look.ready || look.suspect {
                    ready.push(queue);
                }
            }
            Ok::<_, gatepost_storage::Error>(Look { ready, next })
        }
        .boxed()
    });
    Ok(look.await?)
}

/// Takes a window, of each queue its share.
async fn take(plan: &Plan, ready: &[String]) -> Result<Vec<OutboxRow>, Error> {
    let now = plan.store.now();
    let queues = i64::try_from(ready.len()).unwrap_or(i64::MAX).max(1);
    let share = (i64::try_from(plan.window).unwrap_or(i64::MAX) / queues).max(1);
    let lease = new_id(now);
    let takes: Vec<Take> = ready
        .iter()
        .map(|queue| Take {
            queue: queue.clone(),
            limit: share,
            bytes: BYTES / queues,
            lease,
            until: now + plan.lease,
        })
        .collect();
    let rows = plan.store.run_tx("take_messages", move |tx| {
        let takes = takes.clone();
        Box::pin(async move {
            let mut rows = Vec::new();
            for take in &takes {
                rows.extend(outbox_handed::take(tx, take).await?);
            }
            Ok::<_, gatepost_storage::Error>(rows)
        })
    });
    let rows = rows.await?;
    if !rows.is_empty() {
        fault::hit("dispatch.claimed");
    }
    Ok(rows)
}

/// Publishes a window and notes what became of it.
async fn bring(plan: &Plan, turn: &Turn, rows: Vec<OutboxRow>) {
    let (facts, outgoing): (Vec<Fact>, Vec<Outgoing>) = rows
        .into_iter()
        .filter_map(|row| {
            let held = Held {
                id: row.id,
                lease: row.lease?,
            };
            let fact = Fact {
                held,
                queue: row.queue.clone(),
                handed_times: row.handed_times,
            };
            Some((fact, outgoing(plan, row)))
        })
        .unzip();
    let outcomes = plan.broker.publish_batch(outgoing).await;
    fault::hit("dispatch.published");
    let now = plan.store.now();
    let mut work = Work::default();
    for (fact, outcome) in facts.into_iter().zip(outcomes) {
        work.add(plan, turn, fact, outcome.map(|_| ()), now);
    }
    work.redeclare(plan).await;
    write(plan, Arc::new(work)).await;
    fault::hit("dispatch.marked");
}

fn outgoing(plan: &Plan, row: OutboxRow) -> Outgoing {
    // Handed over, and postponed by whoever handled it, or missed on the broker; or back from the dead letters.
    let went_before = row.attempts > 0 || row.handed_times > 0 || row.last_error.is_some();
    let route = match plan.exchanges.get(&row.queue) {
        Some(exchange) => Route::exchange(exchange.clone(), row.kind.clone()).optional(),
        None => Route::queue(row.queue.clone()),
    };
    let priority = u8::try_from(row.priority)
        .ok()
        .and_then(Priority::new)
        .unwrap_or_default();
    let envelope = Envelope {
        id: Some(row.id),
        queue: row.queue,
        kind: row.kind,
        headers: row.headers.0,
        body: Body {
            content_type: row.content_type,
            bytes: row.body,
        },
        priority,
        not_before: None,
        expires_at: row.expires_at,
        dedupe_key: row.dedupe_key,
    };
    let outgoing = Outgoing::new(route, envelope)
        .attempts(u32::try_from(row.attempts).unwrap_or(0))
        .enqueued_at(row.enqueued_at);
    if went_before {
        outgoing.again_at(plan.store.now())
    } else {
        outgoing
    }
}

/// A message under way.
struct Fact {
    held: Held,
    queue: String,
    handed_times: i64,
}

/// What is to be noted of a window, by kind of statement.
#[derive(Default)]
struct Work {
    gone: Vec<Held>,
    handed: Vec<Handed>,
    again: Vec<Again>,
    dead: Vec<(String, Burial)>,
    /// How long the messages of these queues rest.
    rests: HashMap<String, Duration>,
    returned: BTreeSet<String>,
}

impl Work {
    fn add(
        &mut self,
        plan: &Plan,
        turn: &Turn,
        fact: Fact,
        outcome: Result<(), PublishError>,
        now: Timestamp,
    ) {
        let Fact {
            held,
            queue,
            handed_times,
        } = fact;
        let error = match outcome {
            Ok(()) => {
                plan.health.add(Counted::Confirmed, 1);
                turn.trouble(&queue, false, now);
                if plan.held.contains(&queue) {
                    let times = u32::try_from(handed_times).unwrap_or(16).min(16);
                    let doubt = FIRST_DOUBT.saturating_mul(1 << times).min(LONGEST_DOUBT);
                    let doubt_at = (now + doubt).as_micros();
                    self.handed.push(Handed { held, doubt_at });
                } else {
                    self.gone.push(held);
                }
                return;
            }
            Err(error) => error,
        };
        let id = held.id;
        if matches!(error, PublishError::Invalid(_) | PublishError::TooLarge { .. }) {
            plan.health.add(Counted::Dead, 1);
            tracing::error!(%queue, %id, %error, "no broker takes this message: it goes to the dead letters");
            self.dead.push((
                queue,
                Burial {
                    held,
                    reason: DeadReason::Failed.as_str().to_owned(),
                    detail: crate::verdict::tidy(&error.to_string()),
                    counted: 0,
                },
            ));
            return;
        }
        let returned = matches!(error, PublishError::Returned);
        plan.health.add(
            if returned {
                Counted::Returned
            } else {
                Counted::Failed
            },
            1,
        );
        if returned {
            self.returned.insert(queue.clone());
        }
        // A window meets a trouble of its queue once, however many of its messages do.
        let rest = *self.rests.entry(queue).or_insert_with_key(|queue| {
            let (rest, report) = turn.trouble(queue, true, now);
            if report && returned {
                tracing::error!(%queue, "the broker has no such queue, or lost it: it is declared again, and its messages follow");
            } else if report {
                tracing::warn!(%queue, %id, %error, "a message was not confirmed: it is published again under its id");
            }
            rest
        });
        self.again.push(Again {
            held,
            at: now + rest,
            counted: 0,
            error: crate::verdict::tidy(&error.to_string()),
        });
    }

    /// Makes the queues again that were not there.
    async fn redeclare(&self, plan: &Plan) {
        for queue in &self.returned {
            let config = plan.broker.topology().config(queue);
            let topology = crate::Topology::new().queue(queue.clone(), |_| config);
            if let Err(error) = plan.broker.declare(&topology).await {
                tracing::warn!(%queue, %error, "a queue could not be declared again yet");
            }
        }
    }
}

/// Notes a window's end. If that fails for long, the leases run out and the messages are published again.
async fn write(plan: &Plan, work: Arc<Work>) {
    let mut tries = 0;
    loop {
        let (task, hook) = (Arc::clone(&work), plan.on_dead.clone());
        let written = plan.store.run_tx("note_published", move |tx| {
            let (work, hook) = (Arc::clone(&task), hook.clone());
            Box::pin(async move { note(tx, &work, hook.as_ref()).await })
        });
        let error: Error = match written.await {
            Ok(()) => return,
            Err(error) => error,
        };
        tries += 1;
        if tries == TRIES {
            tracing::error!(%error, "what was published could not be noted: it is published again");
            return;
        }
        tracing::warn!(%error, tries, "what was published could not be noted yet, trying again");
        tokio::time::sleep(Duration::from_millis(50 << tries)).await;
    }
}

async fn note(tx: &mut Tx<'_>, work: &Work, hook: Option<&crate::queues::DeadHook>) -> Result<(), Error> {
    outbox_claims::finish(tx, &work.gone).await?;
    outbox_handed::mark(tx, &work.handed).await?;
    outbox_claims::again(tx, &work.again).await?;
    if work.dead.is_empty() {
        return Ok(());
    }
    let burials: Vec<Burial> = work.dead.iter().map(|(_, burial)| burial.clone()).collect();
    let buried: Vec<Uuid> = dead_letters::bury(tx, &burials).await?;
    for (queue, burial) in &work.dead {
        if let Some(hook) = hook
            && buried.contains(&burial.held.id)
            && let Some(row) = dead_letters::get(tx, queue, burial.held.id).await?
        {
            hook(tx, &DeadLetter::from(row)).await?;
        }
    }
    Ok(())
}
