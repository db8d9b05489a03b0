//! A transaction: ours, or one that the caller already has.

use std::sync::{Arc, Mutex, PoisonError};

use sqlx::{PgConnection, SqliteConnection};

use crate::sql::{Dialect, Sql};
use crate::store::Shared;
use crate::{Store, Timestamp};

/// A connection to write through: the caller's own, or a [`Tx`] that is already open.
///
/// It is made by `into()` from `&mut PgConnection`, `&mut SqliteConnection` (which a `sqlx::Transaction`
/// derefs to: `&mut *tx`), or `&mut Tx`.
#[derive(Debug)]
pub struct Conn<'c> {
    raw: Raw<'c>,
    /// Set when this is part of a `Tx` of ours: it shares the hour, and who is to be woken.
    outer: Option<(Timestamp, Wakes)>,
}

#[derive(Debug)]
pub(crate) enum Raw<'c> {
    Sqlite(&'c mut SqliteConnection),
    Postgres(&'c mut PgConnection),
}

impl Raw<'_> {
    fn dialect(&self) -> Dialect {
        match self {
            Raw::Sqlite(_) => Dialect::Sqlite,
            Raw::Postgres(_) => Dialect::Postgres,
        }
    }
}

/// Topics to wake after the commit.
pub(crate) type Wakes = Arc<Mutex<Vec<&'static str>>>;

impl<'c> From<&'c mut SqliteConnection> for Conn<'c> {
    fn from(conn: &'c mut SqliteConnection) -> Self {
        Self {
            raw: Raw::Sqlite(conn),
            outer: None,
        }
    }
}

impl<'c> From<&'c mut PgConnection> for Conn<'c> {
    fn from(conn: &'c mut PgConnection) -> Self {
        Self {
            raw: Raw::Postgres(conn),
            outer: None,
        }
    }
}

impl<'c> From<&'c mut Tx<'_>> for Conn<'c> {
    fn from(tx: &'c mut Tx<'_>) -> Self {
        let outer = Some((tx.now, Arc::clone(&tx.wakes)));
        let raw = match &mut tx.raw {
            Raw::Sqlite(conn) => Raw::Sqlite(conn),
            Raw::Postgres(conn) => Raw::Postgres(conn),
        };
        Self { raw, outer }
    }
}

/// An open transaction (or, in [`Store::read`], a connection without one).
///
/// The functions of the table modules take it. It does not commit by itself: [`Store::run_tx`] does, or
/// the caller whose connection was [joined](Store::join).
#[derive(Debug)]
pub struct Tx<'c> {
    raw: Raw<'c>,
    shared: Arc<Shared>,
    now: Timestamp,
    wakes: Wakes,
    /// The caller commits, so this can't know when: topics are woken a few times over instead.
    joined: bool,
    /// Others were in the way of a statement: the whole may be run again.
    contended: bool,
    /// How many statements were begun.
    statements: u32,
    /// The first of them that found the database gone.
    lost_at: Option<u32>,
}

impl<'c> Tx<'c> {
    pub(crate) fn begin(raw: Raw<'c>, store: &Store) -> Self {
        Self {
            raw,
            shared: Arc::clone(store.shared()),
            now: store.now(),
            wakes: Wakes::default(),
            joined: false,
            contended: false,
            statements: 0,
            lost_at: None,
        }
    }

    pub(crate) fn join(conn: Conn<'c>, store: &Store) -> Result<Self, crate::Error> {
        if conn.raw.dialect() != store.dialect() {
            return Err(crate::Error::OtherDatabase {
                store: store.dialect(),
            });
        }
        let shared = Arc::clone(store.shared());
        Ok(match conn.outer {
            Some((now, wakes)) => Self {
                raw: conn.raw,
                shared,
                now,
                wakes,
                joined: false,
                contended: false,
                statements: 0,
                lost_at: None,
            },
            None => Self {
                raw: conn.raw,
                shared,
                now: store.now(),
                wakes: Wakes::default(),
                joined: true,
                contended: false,
                statements: 0,
                lost_at: None,
            },
        })
    }

    /// When this transaction began, by the store's clock. SQL never asks the database for the time.
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// Which database this is on.
    pub fn dialect(&self) -> Dialect {
        self.raw.dialect()
    }

    /// Wakes the subscribers of `topic` once this is committed; nothing happens if it is rolled back.
    ///
    /// In a transaction of the caller's own, whose commit can't be seen from here, they are woken several
    /// times over the next second instead.
    pub fn wake(&mut self, topic: &'static str) {
        let mut wakes = self.wakes.lock().unwrap_or_else(PoisonError::into_inner);
        if !wakes.contains(&topic) {
            wakes.push(topic);
        }
    }

    pub(crate) fn take_wakes(&self) -> Vec<&'static str> {
        std::mem::take(&mut *self.wakes.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn raw(&mut self) -> &mut Raw<'c> {
        &mut self.raw
    }

    /// Whether what is prepared on this connection will be there the next time.
    pub(crate) fn prepares(&self) -> bool {
        self.shared.backend.keeps_sessions()
    }

    pub(crate) fn expand(&self, sql: Sql) -> Arc<str> {
        self.shared.names.expand_static(sql)
    }

    pub(crate) fn shared(&self) -> &Shared {
        &self.shared
    }

    /// Another program's table of users, if it is used in place of ours.
    pub(crate) fn users(&self) -> Option<Arc<crate::DjangoTable>> {
        match &self.shared.users {
            crate::UserTable::Own => None,
            crate::UserTable::Django(table) => Some(Arc::clone(table)),
        }
    }

    pub(crate) fn was_contended(&self) -> bool {
        self.contended
    }

    /// Which statement, counted from 1, found the database gone.
    pub(crate) fn lost_at(&self) -> Option<u32> {
        self.lost_at
    }

    /// Turns the database's error into ours, and remembers if others were in the way.
    pub(crate) fn failed(&mut self, error: sqlx::Error) -> crate::Error {
        let error = crate::Error::from(error);
        self.contended |= error.is_contention();
        if matches!(error, crate::Error::Unavailable(_)) {
            self.lost_at.get_or_insert(self.statements);
        }
        error
    }

    pub(crate) fn count_statement(&mut self) {
        self.statements += 1;
        self.shared.counters.statement();
    }

    pub(crate) fn count_rows(&self, rows: u64) {
        self.shared.counters.rows(rows);
    }
}

impl Drop for Tx<'_> {
    fn drop(&mut self) {
        if self.joined {
            let topics = self.take_wakes();
            self.shared.wakes.wake_repeatedly(topics);
        }
    }
}
