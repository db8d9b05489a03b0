//! What can go wrong with a database, in terms of what to do about it.

use std::path::PathBuf;

/// A failure of the store.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The database can't be reached or can't write (a full disk, one that became read-only): try again later.
    #[error("the database is not available: {0}")]
    Unavailable(#[source] sqlx::Error),
    /// Two transactions were in each other's way, several times over: try again.
    #[error("the transaction met others too often: {0}")]
    Contention(#[source] sqlx::Error),
    /// The database refused a row (unique, foreign key, check): the caller's data.
    #[error("the database refused the row: {0}")]
    Refused(#[source] sqlx::Error),
    /// Statements that were prepared are not there any more, or are somebody else's: see [`Pooler`](crate::Pooler).
    #[error(
        "a pooler between here and PostgreSQL changes connections beneath a session ({0}): set storage.pooler to \
         \"transaction\""
    )]
    Pooler(#[source] sqlx::Error),
    /// Anything else the database says: a defect.
    #[error("the database failed: {0}")]
    Database(#[source] sqlx::Error),
    /// The URL is none that the store understands.
    #[error("storage.url can't be used: {0}")]
    Url(String),
    /// The SQLite file or its folder can't be made or written.
    #[error("{path} can't be written: {source}")]
    Folder {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A connection of one database was given to a store on the other.
    #[error("the connection is not of the store's database: the store is on {store}")]
    OtherDatabase {
        /// What the store is on.
        store: crate::Dialect,
    },
    /// The schema is not what this release works with.
    #[error(transparent)]
    Migration(#[from] MigrationError),
    /// Only the program whose table of users this is can do it.
    #[error("users are in another program's table: {0} there, not here")]
    ElsewhereOnly(&'static str),
    /// Another program's table wants something in a new row that nobody here knows.
    #[error("the column {column:?} ({kind}) of the other table must hold something that is not known here")]
    ForeignColumn {
        /// Its name.
        column: String,
        /// Its type.
        kind: String,
    },
    /// The store was shut down, or its writer died, before this could run.
    #[error("the store is closed")]
    Closed,
    /// A commit that several transactions shared failed, so that nothing of this one was kept.
    #[error("the shared commit failed, nothing was written: {0}")]
    Commit(#[source] std::sync::Arc<Error>),
    /// The closure of a transaction panicked; it was rolled back.
    #[error("the transaction {0:?} panicked and was rolled back")]
    Panicked(&'static str),
}

/// Why the schema can't be worked with.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MigrationError {
    /// A migration that was applied here has another text in this release.
    #[error("migration {0} was changed after it had been applied: use the release that made this database")]
    Changed(String),
    /// A newer release has applied migrations that this one can't work with.
    #[error("the database was migrated by a newer release ({0}): use that release or a newer one")]
    Newer(String),
}

impl Error {
    /// Whether the same call may succeed later, with nothing changed by the caller.
    pub fn is_transient(&self) -> bool {
        match self {
            Error::Unavailable(_) | Error::Contention(_) => true,
            Error::Commit(shared) => shared.is_transient(),
            Error::Refused(_)
            | Error::Pooler(_)
            | Error::Database(_)
            | Error::Url(_)
            | Error::Folder { .. }
            | Error::OtherDatabase { .. }
            | Error::Migration(_)
            | Error::ElsewhereOnly(_)
            | Error::ForeignColumn { .. }
            | Error::Closed
            | Error::Panicked(_) => false,
        }
    }

    /// Whether a unique rule was what refused the row.
    pub fn is_unique_violation(&self) -> bool {
        matches!(self, Error::Refused(sqlx::Error::Database(e)) if e.is_unique_violation())
    }

    /// Whether a whole transaction may be run again at once because others were in its way.
    pub(crate) fn is_contention(&self) -> bool {
        matches!(self, Error::Contention(_))
    }
}

/// Whether the database says that it can't work now, and nobody's rows are to blame.
fn is_outage(code: &str) -> bool {
    if code.len() == 5 {
        // PostgreSQL: connection exceptions, shutdown and start-up, no room or no connections left, and a server
        // that only reads (the old one after a failover).
        ["08", "57P", "53"].iter().any(|class| code.starts_with(class)) || code == "25006"
    } else {
        // SQLite: read-only, I/O error, disk full, can't open; the low byte of what it says more precisely.
        code.parse::<u16>()
            .is_ok_and(|code| matches!(code & 0xff, 8 | 10 | 13 | 14))
    }
}

impl Error {
    /// Whether others who migrate at the same moment may be the cause: their lock, or a role that they have made and that
    /// can't be seen yet (PostgreSQL's 42704, an object that is not there).
    pub(crate) fn may_pass(&self) -> bool {
        match self {
            Error::Contention(_) => true,
            Error::Database(sqlx::Error::Database(e)) => e.code().as_deref() == Some("42704"),
            _ => false,
        }
    }
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        use sqlx::error::ErrorKind;
        match &error {
            sqlx::Error::Database(e) => match (e.kind(), e.code().as_deref()) {
                (
                    ErrorKind::UniqueViolation
                    | ErrorKind::ForeignKeyViolation
                    | ErrorKind::NotNullViolation
                    | ErrorKind::CheckViolation,
                    _,
                ) => Error::Refused(error),
                // PostgreSQL: serialization failure, deadlock. SQLite: busy, locked, busy snapshot.
                (_, Some("40001" | "40P01" | "5" | "6" | "261" | "262" | "517")) => Error::Contention(error),
                // PostgreSQL: a prepared statement that is there already, or is not there.
                (_, Some("42P05" | "26000")) => Error::Pooler(error),
                (_, Some(code)) if is_outage(code) => Error::Unavailable(error),
                _ => Error::Database(error),
            },
            // Protocol: whoever takes the connection and hangs up in mid-greeting (a proxy whose database is gone).
            sqlx::Error::Io(_)
            | sqlx::Error::Tls(_)
            | sqlx::Error::Protocol(_)
            | sqlx::Error::PoolTimedOut
            | sqlx::Error::PoolClosed
            | sqlx::Error::WorkerCrashed => Error::Unavailable(error),
            _ => Error::Database(error),
        }
    }
}
