//! What a consumer writes into the database beside RabbitMQ: the ids of handled messages, and what its hook
//! has to say about dead letters.

use std::collections::HashSet;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use gatepost_storage::{Conn, Store, Tx, handled};
use uuid::Uuid;

use super::Rabbit;
use super::noter::Noter;
use super::ticket::Ticket;
use crate::broker::{Want, held};
use crate::queues::{DeadHook, DeadLetter};
use crate::verdict::Verdict;
use crate::{Error, Timestamp};

/// The transaction in which a message ends that no handler has settled.
const SETTLE: &str = "settle_message";
/// How often it is tried while the database is away.
const TRIES: u32 = 10;

pub(super) struct Book {
    queue: Arc<str>,
    store: Option<Store>,
    once: Option<Noter>,
    /// The rows of messages wait for their end here.
    held: bool,
    hook: Option<DeadHook>,
}

impl Book {
    pub(super) fn open(rabbit: &Rabbit, want: &Want) -> Result<Self, Error> {
        let stores = [&want.once, &want.held];
        let mut named = stores.into_iter().flatten();
        let first = named.next();
        if let (Some(first), Some(second)) = (first, named.next())
            && !first.is_same(second)
        {
            return Err(Error::OtherStore);
        }
        let store = first.or(rabbit.store.as_ref()).cloned();
        if want.on_dead.is_some() && store.is_none() {
            return Err(NO_STORE);
        }
        let queue: Arc<str> = want.queue.as_str().into();
        Ok(Self {
            once: want.once.as_ref().map(|store| Noter::start(store, &queue)),
            held: want.held.is_some(),
            hook: want.on_dead.clone(),
            store,
            queue,
        })
    }

    pub(super) fn store(&self) -> Option<&Store> {
        self.store.as_ref()
    }

    pub(super) fn join<'c>(&self, conn: Conn<'c>) -> Result<Tx<'c>, Error> {
        Ok(self.store.as_ref().ok_or(NO_STORE)?.join(conn)?)
    }

    /// Which of these were handled.
    pub(super) async fn seen(&self, ids: Vec<Uuid>) -> Result<HashSet<Uuid>, Error> {
        let (Some(store), Some(_)) = (&self.store, &self.once) else {
            return Ok(HashSet::new());
        };
        let queue = Arc::clone(&self.queue);
        let seen = store
            .read("look_for_handled_messages", |tx| {
                Box::pin(async move { handled::seen(tx, &queue, &ids).await })
            })
            .await?;
        Ok(seen.into_iter().collect())
    }

    /// Whether ids are noted.
    pub(super) fn notes(&self) -> bool {
        self.once.is_some()
    }

    /// Writes in the handler's own transaction how messages of this consumer end. Of each: whether a row there
    /// says what comes next, or nothing if another copy of the message was handled before.
    pub(super) async fn settle_in(
        &self,
        tx: &mut Tx<'_>,
        items: &[(Uuid, Verdict)],
    ) -> Result<Vec<Option<bool>>, Error> {
        let covered = if self.held {
            held::settle(tx, items).await?
        } else {
            HashSet::new()
        };
        let mut written = Vec::with_capacity(items.len());
        for (id, verdict) in items {
            let again = *verdict == Verdict::Done
                && self.notes()
                && handled::note(tx, &self.queue, &[*id]).await? == 0;
            written.push((!again).then(|| covered.contains(id)));
        }
        Ok(written)
    }

    /// Writes in a transaction of its own; whether a row there says what comes next.
    pub(super) async fn settle(&self, ticket: &Ticket, verdict: &Verdict) -> Result<bool, Error> {
        let hook = self
            .hook
            .as_ref()
            .filter(|_| matches!(verdict, Verdict::Dead { .. }));
        let note = self.once.as_ref().filter(|_| *verdict == Verdict::Done);
        let Some(store) = &self.store else {
            return Ok(false);
        };
        if *verdict == Verdict::Release || (!self.held && hook.is_none()) {
            if let Some(noter) = note {
                noter.note(ticket.id()).await?;
            }
            return Ok(false);
        }
        let write = Write {
            queue: Arc::clone(&self.queue),
            item: (ticket.id(), verdict.clone()),
            held: self.held,
            note: note.is_some(),
            hook: hook
                .cloned()
                .map(|hook| (hook, Arc::new(ticket.dead_letter(verdict, store.now())))),
        };
        let written = AssertUnwindSafe(write.run(store)).catch_unwind().await;
        written.unwrap_or(Err(gatepost_storage::Error::Panicked(SETTLE).into()))
    }

    /// Whether what [`Book::settle_in`] wrote was committed, as far as that can be seen.
    pub(super) async fn stands(&self, ticket: &Ticket, verdict: &Verdict) -> Result<bool, Error> {
        if *verdict != Verdict::Done || !self.notes() {
            return Ok(true);
        }
        Ok(self.seen(vec![ticket.id()]).await?.contains(&ticket.id()))
    }
}

const NO_STORE: Error = Error::Invalid {
    what: "consumer",
    why: "without a database nothing can be settled in a transaction, nor a hook run in one: give it one by `once`, or the broker by `with_store`",
};

/// What is written about one message.
#[derive(Clone)]
struct Write {
    queue: Arc<str>,
    item: (Uuid, Verdict),
    held: bool,
    note: bool,
    hook: Option<(DeadHook, Arc<DeadLetter>)>,
}

impl Write {
    async fn run(self, store: &Store) -> Result<bool, Error> {
        let mut tries = 0;
        loop {
            let write = self.clone();
            let written = store.run_tx(SETTLE, move |tx| {
                let write = write.clone();
                Box::pin(async move { write.run_in(tx).await })
            });
            match written.await {
                Err(error) if error.is_transient() && tries < TRIES => {
                    tries += 1;
                    tracing::warn!(queue = %self.queue, id = %self.item.0, %error, tries, "how a message ended could not be noted, trying again");
                    tokio::time::sleep(Duration::from_millis(50 << tries.min(6))).await;
                }
                written => return written,
            }
        }
    }

    async fn run_in(&self, tx: &mut Tx<'_>) -> Result<bool, Error> {
        let id = self.item.0;
        let covered = self.held
            && held::settle(tx, std::slice::from_ref(&self.item))
                .await?
                .contains(&id);
        if self.note {
            handled::note(tx, &self.queue, &[id]).await?;
        }
        if let Some((hook, dead)) = &self.hook {
            hook(tx, dead).await?;
        }
        Ok(covered)
    }
}

impl Ticket {
    /// What it would be among the dead letters.
    fn dead_letter(&self, verdict: &Verdict, now: Timestamp) -> DeadLetter {
        let original = &self.slot.original;
        let mut dead = super::inspect::dead_letter(
            self.desk.queue(),
            &original.properties,
            original.body.clone(),
            now,
        );
        dead.id = self.id();
        dead.starts = self.starts;
        dead.died_at = now;
        if let Verdict::Dead {
            reason,
            detail,
            counted,
        } = verdict
        {
            dead.attempts = self.attempts.saturating_add(u32::from(*counted));
            reason.as_str().clone_into(&mut dead.reason);
            dead.detail.clone_from(detail);
        }
        dead
    }
}
