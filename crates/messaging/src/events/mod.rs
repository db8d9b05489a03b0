//! Events: what happened, told to whoever wants to know, at least once and in order.
//!
//! An event is written in the transaction of what it tells ([`Events::tell`]), so that it exists if and only if that
//! happened. It has an id, the same however often it is told, and gets a number after its commit: whoever has read
//! up to a number has missed none below it, however late some transaction committed.
//!
//! Who wants to know reads along ([`Events::after`]) or is told by a [`Relay`], which keeps its place in the
//! database and tries again for as long as it is told to.

mod relay;

use std::time::Duration;

use gatepost_storage::events::{self, EventRow, Numbers};
use gatepost_storage::{Conn, Store, Timestamp, Tx, event_cursors};
use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

pub use gatepost_storage::event_cursors::CursorRow as RelayStatus;
pub use relay::{Backoff, Failure, Fault, Receiver, Relay, Told};

use crate::Error;

/// How many events get their numbers in one transaction.
const NUMBER: i64 = 1_000;
/// A relay that nobody has run for so long is of no configuration any more.
const FORGET_RELAY: Duration = Duration::from_secs(30 * 86_400);

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Event {
    /// Its id, the same however often it is told: what a consumer goes by to handle it once.
    pub id: Uuid,
    /// What happened: `user.activated`.
    #[serde(rename = "type")]
    pub kind: String,
    /// When it happened.
    pub timestamp: Timestamp,
    /// To whom or what: ids and plain words.
    pub data: Value,
    /// Its number.
    #[serde(skip)]
    pub number: i64,
    /// When it got its number, which is when it could be told first.
    #[serde(skip)]
    pub numbered_at: Timestamp,
}

impl From<EventRow> for Event {
    fn from(row: EventRow) -> Self {
        Self {
            id: row.id,
            kind: row.kind,
            timestamp: row.at,
            data: row.data.0,
            number: row.seq,
            numbered_at: row.numbered_at,
        }
    }
}

/// A part of the events.
#[derive(Clone, Debug, PartialEq)]
pub struct EventPage {
    /// In order.
    pub events: Vec<Event>,
    /// The number to go on after: of the last of them, or the one that was asked with.
    pub next: i64,
}

/// The events of a store. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Events {
    store: Store,
}

impl Events {
    /// The events of a store.
    pub fn new(store: &Store) -> Self {
        Self { store: store.clone() }
    }

    /// Tells that something happened, as part of the caller's transaction; the event's id.
    ///
    /// `data` is kept and sent as it is: put no secret into it, and nobody's address unless it is the point.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a name that is empty or longer than [`MAX_SHORT`](crate::MAX_SHORT); the database's.
    pub async fn tell<'c>(&self, conn: impl Into<Conn<'c>>, kind: &str, data: &Value) -> Result<Uuid, Error> {
        if kind.is_empty() || kind.len() > crate::MAX_SHORT {
            return Err(Error::Invalid {
                what: "event's type",
                why: "it must have 1 to 255 bytes",
            });
        }
        let mut tx = self.store.join(conn)?;
        Ok(events::insert(&mut tx, kind, data).await?)
    }

    /// At most `limit` events after a number (0: from the oldest that is kept), in order.
    ///
    /// # Errors
    /// [`Error::Swept`] if events after that number are gone already: reading on would leave them out unawares. The
    /// database's.
    pub async fn after(&self, number: i64, limit: u32) -> Result<EventPage, Error> {
        let (events, numbers) = self.read(number, None, limit).await?;
        // A number that was never given is another database's, or one of later than the backup that this one came from:
        // whoever waited for it to be reached would miss what happens until then.
        if (number > 0 && number < numbers.swept) || number > numbers.last {
            return Err(Error::Swept);
        }
        let next = events.last().map_or(number, |event| event.number);
        Ok(EventPage { events, next })
    }

    /// How the relays are doing, by name.
    ///
    /// # Errors
    /// The database's.
    pub async fn relays(&self) -> Result<Vec<RelayStatus>, Error> {
        let read = self
            .store
            .read("list_relays", |tx| Box::pin(event_cursors::list(tx)));
        Ok(read.await?)
    }

    /// Wakes when something happened, whichever process it was told in.
    pub fn wakeups(&self) -> gatepost_storage::Wakeups {
        self.store.subscribe(events::TOPIC)
    }

    /// Deletes events that could be told since before `before`; how many. To be called now and then; a service does
    /// it by itself.
    ///
    /// # Errors
    /// The database's. What was deleted before it stays deleted.
    pub async fn sweep(&self, before: Timestamp) -> Result<u64, Error> {
        // What nobody ever asked for has no number yet, and none of it is swept without.
        self.number().await?;
        let sweep = self.store.sweep("sweep_events", move |tx, limit| {
            Box::pin(async move {
                event_cursors::sweep(tx, tx.now() - FORGET_RELAY).await?;
                events::sweep(tx, before, limit).await
            })
        });
        Ok(sweep.await?)
    }

    /// Gives numbers to whatever is committed.
    async fn number(&self) -> Result<(), Error> {
        loop {
            let numbered = self
                .store
                .run_tx("number_events", |tx| Box::pin(events::number(tx, NUMBER)))
                .await?;
            if numbered < NUMBER.unsigned_abs() {
                return Ok(());
            }
        }
    }

    /// Events after a number, of some kinds or of all, and how far the numbers were just before.
    async fn read(
        &self,
        after: i64,
        kinds: Option<&[String]>,
        limit: u32,
    ) -> Result<(Vec<Event>, Numbers), Error> {
        let waiting = self
            .store
            .read("look_for_events", |tx| Box::pin(events::any_unnumbered(tx)))
            .await?;
        if waiting {
            self.number().await?;
        }
        let kinds = kinds.map(<[String]>::to_vec);
        let read = self.store.read("read_events", move |tx| {
            Box::pin(read_in(tx, after, kinds, limit))
        });
        Ok(read.await?)
    }
}

async fn read_in(
    tx: &mut Tx<'_>,
    after: i64,
    kinds: Option<Vec<String>>,
    limit: u32,
) -> Result<(Vec<Event>, Numbers), gatepost_storage::Error> {
    // First, so that all up to `last` are in what is read next.
    let numbers = events::numbers(tx).await?;
    let limit = i64::from(limit);
    let rows = match kinds {
        None => events::after(tx, after, limit).await?,
        Some(kinds) => events::after_of_kinds(tx, after, &kinds, limit).await?,
    };
    Ok((rows.into_iter().map(Event::from).collect(), numbers))
}
