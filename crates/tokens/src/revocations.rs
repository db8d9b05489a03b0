//! What this instance knows to be revoked: a view in memory, fed by the log in the database.
//!
//! Every instance reads the log anew at least every 250 ms, and at once when it is woken. While the last reading is
//! younger than a second and no wake-up is unanswered, a check is a look into memory. Otherwise all checks that wait
//! share one reading; if that fails, nobody is let in.

use std::fmt;
use std::future::Future;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, Shared};
use gatepost_storage::revocation_log::{self, Cursor, News};
use gatepost_storage::{Error, Store, Tx, Wakeups};
use tokio::sync::watch;

use crate::claims::Claims;
use crate::error::{Refused, Unavailable};
use crate::keeper::Keeper;
use crate::view::View;

/// How old the last reading may be when a check relies on it.
const BOUND: Duration = Duration::from_secs(1);
/// How often the log is read when nobody wakes us.
const EVERY: Duration = Duration::from_millis(250);
/// How old the last reading is at least when an unknown key is reason enough for another.
const BETWEEN: Duration = Duration::from_millis(100);
/// How long one reading may take before those who wait are told that nobody knows.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long the first reading may take, which is of the whole log: ten million rows take some seconds.
const LOADING: Duration = Duration::from_mins(1);
/// How long a check waits for a reading when the one before has failed: through an outage it is told so soon.
const HASTE: Duration = Duration::from_millis(250);

/// What this instance knows to be revoked. Cheap to clone; clones are one view.
#[derive(Clone)]
pub struct Revocations {
    state: Arc<State>,
    /// The reading under way, if there is one. Not inside `State`, which the reading itself holds.
    reading: Arc<Mutex<Option<Reading>>>,
}

type Reading = Shared<BoxFuture<'static, Result<(), Unavailable>>>;

struct State {
    store: Store,
    /// The keys that sign, which are read together with what is revoked.
    keeper: Arc<Keeper>,
    view: View,
    cursor: Mutex<Cursor>,
    wakeups: Wakeups,
    /// How many wake-ups the last reading has answered.
    answered: AtomicU64,
    /// When the last reading began, in nanoseconds after `born`; 0 before the first.
    read_at: AtomicU64,
    /// Whether the last reading that ended has failed.
    failing: AtomicBool,
    born: Instant,
    /// Whether something is in memory that was not told to `changes`: a reading may have brought it and then failed.
    untold: AtomicBool,
    changes: watch::Sender<u64>,
}

impl Revocations {
    pub(crate) fn new(store: &Store, keeper: Keeper) -> Self {
        let state = State {
            keeper: Arc::new(keeper),
            store: store.clone(),
            view: View::new(),
            cursor: Mutex::default(),
            wakeups: store.subscribe(revocation_log::TOPIC),
            answered: AtomicU64::new(0),
            read_at: AtomicU64::new(0),
            failing: AtomicBool::new(false),
            born: Instant::now(),
            untold: AtomicBool::new(false),
            changes: watch::Sender::new(0),
        };
        Self {
            state: Arc::new(state),
            reading: Arc::default(),
        }
    }

    /// Keeps the view fresh until `stop` is done. Without it checks still see every revocation, but one a second has
    /// to wait for the database.
    pub async fn run_until(&self, stop: impl Future<Output = ()>) {
        let mut wakeups = self.state.store.subscribe(revocation_log::TOPIC);
        let mut failing = false;
        tokio::pin!(stop);
        loop {
            match self.catch_up().await {
                Ok(()) if failing => {
                    failing = false;
                    tracing::info!("the revocation log can be read again");
                }
                Err(error) if !failing => {
                    failing = true;
                    tracing::warn!(%error, "the revocation log can't be read: access tokens are refused until it can");
                }
                _ => {}
            }
            tokio::select! {
                () = &mut stop => return,
                () = wakeups.wait() => {}
                () = tokio::time::sleep(EVERY) => {}
            }
        }
    }

    /// How old the last reading of the log is; since the start if there was none yet.
    pub fn age(&self) -> Duration {
        let read_at = Duration::from_nanos(self.state.read_at.load(Ordering::Acquire));
        self.state.born.elapsed().saturating_sub(read_at)
    }

    /// Changes whenever something was revoked: who holds something open for a token (a socket) then asks
    /// [`is_revoked`](Self::is_revoked) again.
    pub fn subscribe(&self) -> watch::Receiver<u64> {
        self.state.changes.subscribe()
    }

    /// Whether the view refuses these claims, as far as it has read.
    pub fn is_revoked(&self, claims: &Claims) -> bool {
        self.state.view.refuses(claims)
    }

    /// How many revocations are in memory.
    pub fn len(&self) -> usize {
        self.state.view.len()
    }

    /// Whether nothing is revoked that is still alive.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Refuses what is revoked; nothing is let in on old news.
    pub(crate) async fn refuse(&self, claims: &Claims) -> Result<(), Refused> {
        self.be_fresh().await.map_err(Refused::Unavailable)?;
        if self.is_revoked(claims) {
            Err(Refused::Revoked)
        } else {
            Ok(())
        }
    }

    /// Whether a check that relies on memory would first have to ask the database.
    pub(crate) fn is_old(&self) -> bool {
        !self.state.is_fresh(self.state.wakeups.count())
    }

    /// Whether there was ever a reading.
    pub(crate) fn has_read(&self) -> bool {
        self.state.read_at.load(Ordering::Acquire) != 0
    }

    /// A reading that begins after now, for a token whose key nobody here knows: it may have been made a moment ago.
    /// Whoever makes such tokens up gets no more than one every 100 ms out of the database, which all of them wait for,
    /// and none while readings fail.
    pub(crate) async fn look_again(&self) -> bool {
        if self.state.failing.load(Ordering::Acquire) {
            return false;
        }
        let entered = nanos(self.state.born.elapsed());
        if !self.is_old() {
            tokio::time::sleep(BETWEEN.saturating_sub(self.age())).await;
        }
        while self.state.read_at.load(Ordering::Acquire) < entered {
            if self.catch_up().await.is_err() {
                return false;
            }
        }
        true
    }

    /// Reads the keys in the caller's transaction, if nobody else keeps them fresh.
    pub(crate) async fn read_keys_in(&self, tx: &mut Tx<'_>) -> Result<(), Error> {
        if self.is_old() {
            self.read_keys_now_in(tx).await?;
        }
        Ok(())
    }

    /// Reads the keys in the caller's transaction.
    pub(crate) async fn read_keys_now_in(&self, tx: &mut Tx<'_>) -> Result<(), Error> {
        if let Some(found) = self.state.keeper.read(tx).await? {
            self.state.keeper.apply(&found, tx.now());
        }
        Ok(())
    }

    pub(crate) async fn be_fresh(&self) -> Result<(), Unavailable> {
        let entered = nanos(self.state.born.elapsed());
        // Whatever was told before this check began must be in the view; what comes later need not.
        let told = self.state.wakeups.count();
        while !self.state.is_fresh(told) {
            if self.state.failing.load(Ordering::Acquire) {
                tokio::time::timeout(HASTE, self.catch_up())
                    .await
                    .map_err(Unavailable::new)??;
            } else {
                self.catch_up().await?;
            }
            // A reading that began after this check did is as good as asking for it alone, however long it took;
            // one that was under way already may have missed something, and then there is a second.
            if self.state.read_at.load(Ordering::Acquire) >= entered {
                break;
            }
        }
        Ok(())
    }

    /// One reading for everybody who waits now. It runs on a task of its own, so that nobody who gives up cuts it.
    fn catch_up(&self) -> Reading {
        let mut reading = self.reading.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(running) = reading.as_ref().filter(|running| running.peek().is_none()) {
            return running.clone();
        }
        let state = Arc::clone(&self.state);
        let task = tokio::spawn(async move {
            let read = Arc::clone(&state).read_log().await;
            state.failing.store(read.is_err(), Ordering::Release);
            read
        });
        let new = async move { task.await.unwrap_or_else(|error| Err(Unavailable::new(error))) }
            .boxed()
            .shared();
        *reading = Some(new.clone());
        new
    }
}

impl State {
    fn is_fresh(&self, told: u64) -> bool {
        let read_at = self.read_at.load(Ordering::Acquire);
        let now = nanos(self.born.elapsed());
        read_at != 0
            && now.saturating_sub(read_at) < nanos(BOUND)
            && self.answered.load(Ordering::Acquire) >= told
    }

    fn cursor(&self) -> MutexGuard<'_, Cursor> {
        self.cursor.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn read_log(self: Arc<Self>) -> Result<(), Unavailable> {
        // Both before the reading: what comes while it runs is for the next one.
        let (began, told) = (nanos(self.born.elapsed()).max(1), self.wakeups.count());
        let cursor = self.cursor().clone();
        let patience = if cursor == Cursor::default() {
            LOADING
        } else {
            PATIENCE
        };
        let state = Arc::clone(&self);
        let read = self.store.read("revocations", |tx| {
            Box::pin(async move {
                let mut note = |row: &News<'_>| {
                    if state.view.add(row) {
                        state.untold.store(true, Ordering::Release);
                    }
                };
                let next = revocation_log::since(tx, &cursor, &mut note).await?;
                Ok::<_, Error>((next, state.keeper.read(tx).await?))
            })
        });
        let (next, keys) = match tokio::time::timeout(patience, read).await {
            Ok(read) => read.map_err(Unavailable::new)?,
            Err(late) => return Err(Unavailable::new(late)),
        };
        let now = self.store.now();
        if let Some(found) = &keys {
            self.untold.store(true, Ordering::Release);
            self.keeper.apply(found, now);
        }
        self.view.tidy(now);
        *self.cursor() = next;
        self.answered.store(told, Ordering::Release);
        self.read_at.store(began, Ordering::Release);
        if self.untold.swap(false, Ordering::AcqRel) {
            self.changes.send_modify(|count| *count = count.wrapping_add(1));
        }
        Ok(())
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

impl fmt::Debug for Revocations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Revocations")
            .field("entries", &self.len())
            .field("age", &self.age())
            .finish_non_exhaustive()
    }
}
