//! The store: what the rest of Gatepost holds.

use std::path::Path;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

use sqlx::postgres::PgPool;
use sqlx::sqlite::SqlitePool;

use crate::backend::Backend;
use crate::sql::{Names, is_plain_name};
use crate::stats::Counters;
use crate::wake::{Hub, Wakeups};
use crate::{Clock, Conn, Dialect, Error, Stats, StoreOptions, Timestamp, Tx, UserTable};

/// How often the distance to the database's clock is measured anew.
const CLOCK_EVERY: Duration = Duration::from_secs(60);

/// A database that remembers. Cheap to clone; all clones are the same store.
#[derive(Clone, Debug)]
pub struct Store(Arc<Shared>);

#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) backend: Backend,
    pub(crate) names: Names,
    pub(crate) counters: Counters,
    pub(crate) wakes: Arc<Hub>,
    pub(crate) users: UserTable,
    clock: Clock,
    /// Microseconds to add to our clock to have the database's.
    offset: AtomicI64,
    following: OnceLock<()>,
}

impl Store {
    /// Opens `sqlite://PATH` (made if missing: WAL, `synchronous=FULL`) or `postgres://...`.
    ///
    /// # Errors
    /// [`Error::Url`] and [`Error::Folder`] for what the configuration has to mend;
    /// [`Error::Unavailable`] if PostgreSQL can't be reached.
    pub async fn open(url: &str, options: StoreOptions) -> Result<Self, Error> {
        if !is_plain_name(&options.schema) {
            return Err(Error::Url(format!(
                "storage.schema {:?} has to be lower-case letters, digits and _, at most 40 of them",
                options.schema
            )));
        }
        let backend = Backend::open(url, &options).await?;
        if matches!(options.users, UserTable::Django(_)) && backend.dialect() == Dialect::Sqlite {
            return Err(Error::Url(
                "another program's table of users is used in PostgreSQL only".into(),
            ));
        }
        let store = Self::over(backend, &options.schema, options.clock, options.users);
        store.follow_database_clock().await?;
        Ok(store)
    }

    /// Over the caller's PostgreSQL pool, in schema `gatepost`.
    pub fn postgres(pool: PgPool) -> Self {
        Self::over(
            Backend::from_postgres_pool(pool),
            "gatepost",
            Clock::system(),
            UserTable::Own,
        )
    }

    /// Over the caller's SQLite pool, with tables named `gatepost_...`.
    pub fn sqlite(pool: SqlitePool) -> Self {
        Self::over(
            Backend::from_sqlite_pool(pool),
            "gatepost",
            Clock::system(),
            UserTable::Own,
        )
    }

    fn over(backend: Backend, schema: &str, clock: Clock, users: UserTable) -> Self {
        let names = Names::new(backend.dialect(), schema);
        let wakes = Arc::new(Hub::new(&backend, schema));
        Self(Arc::new(Shared {
            backend,
            names,
            counters: Counters::default(),
            wakes,
            users,
            clock,
            offset: AtomicI64::new(0),
            following: OnceLock::new(),
        }))
    }

    /// The same database under another schema (prefix on SQLite). Call it before the store is used or cloned.
    ///
    /// # Errors
    /// [`Error::Url`] if the name is not plain, [`Error::Closed`] if the store is already shared.
    pub fn with_schema(self, schema: &str) -> Result<Self, Error> {
        if !is_plain_name(schema) {
            return Err(Error::Url(format!(
                "{schema:?} is not a plain lower-case schema name"
            )));
        }
        let shared = Arc::into_inner(self.0).ok_or(Error::Closed)?;
        Ok(Self::over(shared.backend, schema, shared.clock, shared.users))
    }

    /// The same database by another clock. Call it before the store is used or cloned.
    ///
    /// # Errors
    /// [`Error::Closed`] if the store is already shared.
    pub fn with_clock(self, clock: Clock) -> Result<Self, Error> {
        let shared = Arc::into_inner(self.0).ok_or(Error::Closed)?;
        let schema = shared.names.schema().to_owned();
        Ok(Self::over(shared.backend, &schema, clock, shared.users))
    }

    /// A transaction inside the caller's own: `store.join(&mut *tx)`. What is written through it commits
    /// and rolls back with the caller's. It also takes a [`Tx`] of ours.
    ///
    /// # Errors
    /// [`Error::OtherDatabase`] if the connection is not of this store's kind of database.
    pub fn join<'c>(&self, conn: impl Into<Conn<'c>>) -> Result<Tx<'c>, Error> {
        Tx::join(conn.into(), self)
    }

    /// The time now, by our clock corrected to the database's, so that all instances agree.
    pub fn now(&self) -> Timestamp {
        let ours = self.0.clock.now().as_micros();
        Timestamp::from_micros(ours.saturating_add(self.0.offset.load(Ordering::Relaxed)))
    }

    /// The clock that the store was given, for sleeping by it.
    pub fn clock(&self) -> &Clock {
        &self.0.clock
    }

    /// Waits until [`now`](Store::now) has reached `until`.
    pub async fn sleep_until(&self, until: Timestamp) {
        let offset = self.0.offset.load(Ordering::Relaxed);
        let ours = Timestamp::from_micros(until.as_micros().saturating_sub(offset));
        self.0.clock.sleep_until(ours).await;
    }

    /// Whether both are clones of one store.
    pub fn is_same(&self, other: &Store) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// Which database this is on.
    pub fn dialect(&self) -> Dialect {
        self.0.names.dialect()
    }

    /// The schema (on SQLite the prefix) of the tables.
    pub fn schema(&self) -> &str {
        self.0.names.schema()
    }

    /// Is told of every [`Tx::wake`] of `topic`, in this process and, soon after, in others.
    pub fn subscribe(&self, topic: &'static str) -> Wakeups {
        self.0.wakes.subscribe(topic)
    }

    /// Says something short to every process on this database, best effort: whoever can't afford to miss it looks
    /// into a table. Never waits; a topic has no spaces.
    pub fn cast(&self, topic: &str, body: &[u8]) {
        self.0.wakes.cast(topic, body);
    }

    /// Hears what any process says, this one included, from now on.
    pub fn casts(&self) -> crate::Casts {
        self.0.wakes.casts()
    }

    /// Wakes the subscribers of `topic` now, without a transaction.
    pub fn wake(&self, topic: &'static str) {
        self.0.wakes.wake(&[topic]);
    }

    /// What the store has done so far.
    pub fn stats(&self) -> Stats {
        self.0.counters.read()
    }

    /// Asks the database for an answer: whether it is there at all.
    pub async fn ping(&self) -> Result<(), Error> {
        self.read("ping", |tx| {
            Box::pin(async move {
                let (_,): (i32,) = fetch_one!(tx, (i32,), sql! { sqlite: "SELECT 1", postgres: "SELECT 1" })?;
                Ok(())
            })
        })
        .await
    }

    /// Writes a consistent copy of the SQLite database to `target`, while the program runs.
    ///
    /// # Errors
    /// [`Error::OtherDatabase`] on PostgreSQL (`pg_dump` does it there); [`Error::Database`] if the file exists.
    pub async fn copy_to(&self, target: &Path) -> Result<(), Error> {
        self.0.backend.copy_to(target).await
    }

    /// Gives the connections back. Calls that are under way finish first.
    pub async fn close(&self) {
        self.0.backend.close().await;
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.0
    }

    /// Measures the distance to PostgreSQL's clock now and every minute from here on.
    pub(crate) async fn follow_database_clock(&self) -> Result<(), Error> {
        if self.dialect() == Dialect::Sqlite || !self.0.clock.follows_database() {
            return Ok(());
        }
        self.measure_clock().await?;
        if self.0.following.set(()).is_ok() {
            tokio::spawn(follow(Arc::downgrade(&self.0)));
        }
        Ok(())
    }

    async fn measure_clock(&self) -> Result<(), Error> {
        let before = self.0.clock.now();
        let (theirs,) = self
            .read("measure_clock", |tx| {
                Box::pin(async move {
                    fetch_one!(
                        tx,
                        (Timestamp,),
                        sql! { sqlite: "SELECT 0", postgres: "SELECT clock_timestamp()" }
                    )
                })
            })
            .await?;
        let after = self.0.clock.now();
        let middle = i64::midpoint(before.as_micros(), after.as_micros());
        self.0
            .offset
            .store(theirs.as_micros() - middle, Ordering::Relaxed);
        Ok(())
    }
}

async fn follow(store: Weak<Shared>) {
    loop {
        tokio::time::sleep(CLOCK_EVERY).await;
        let Some(shared) = store.upgrade() else { return };
        if let Err(error) = Store(shared).measure_clock().await {
            tracing::debug!(%error, "the database's clock could not be read; the last distance stays in use");
        }
    }
}
