//! The two databases. The only file that holds both pools.

use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::{Duration, Instant};

use sqlx::postgres::{PgConnectOptions, PgPool};
use sqlx::sqlite::{
    SqliteAutoVacuum, SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions,
    SqliteSynchronous,
};
use sqlx::{ConnectOptions, Connection};

use crate::connections::{self, Connections};
use crate::writer::Writer;
use crate::{Dialect, Error, StoreOptions};

/// How long a writer waits for another process's transaction before it gives up. Set before anything
/// else is said on a connection, since switching to WAL needs the lock as well.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

#[derive(Debug)]
pub(crate) enum Backend {
    Sqlite {
        readers: SqlitePool,
        writer: Writer,
    },
    Postgres {
        connections: Connections,
        /// Where to listen; nowhere behind a pooler that would not pass on what is heard.
        listen: Option<PgConnectOptions>,
        /// Whether a session lasts as long as its connection; else it lasts for a transaction.
        keeps_sessions: bool,
    },
}

/// Makes the database's file if it is not there, readable by its owner alone. SQLite gives its journal
/// and its shared memory the same mode.
fn make_private(file: &Path) -> Result<(), Error> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(file) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        Err(source) => Err(Error::Folder {
            path: PathBuf::from(file),
            source,
        }),
    }
}

/// Opens the file once, which makes it and switches it to WAL. While another process does the same, SQLite may say
/// that the file is locked without waiting for the lock at all.
async fn open_first(options: &SqliteConnectOptions) -> Result<(), Error> {
    let began = Instant::now();
    loop {
        let opened = match options.connect().await {
            Ok(connection) => connection.close().await,
            Err(error) => Err(error),
        };
        match opened.map_err(Error::from) {
            Err(error) if error.is_contention() && began.elapsed() < 2 * BUSY_TIMEOUT => {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            outcome => return outcome,
        }
    }
}

impl Backend {
    /// Opens `sqlite://PATH` or `postgres://...` with pools of its own.
    pub(crate) async fn open(url: &str, options: &StoreOptions) -> Result<Self, Error> {
        if url.starts_with("sqlite:") {
            Self::open_sqlite(url, options).await
        } else if url.starts_with("postgres:") || url.starts_with("postgresql:") {
            Self::open_postgres(url, options).await
        } else {
            Err(Error::Url(
                "it starts neither with sqlite:// nor with postgres://".into(),
            ))
        }
    }

    async fn open_sqlite(url: &str, options: &StoreOptions) -> Result<Self, Error> {
        // A URL may carry a path with a secret mount or a user's name: the message leaves it out.
        let parsed = SqliteConnectOptions::from_str(url)
            .map_err(|_| Error::Url("expected sqlite:///absolute/path or sqlite://relative/path".into()))?;
        if let Some(folder) = parsed
            .get_filename()
            .parent()
            .filter(|p| !p.as_os_str().is_empty())
        {
            std::fs::create_dir_all(folder).map_err(|source| Error::Folder {
                path: PathBuf::from(folder),
                source,
            })?;
        }
        make_private(parsed.get_filename())?;
        let base = parsed
            .create_if_missing(true)
            .foreign_keys(true)
            .busy_timeout(BUSY_TIMEOUT)
            .auto_vacuum(SqliteAutoVacuum::Incremental)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .disable_statement_logging();
        // The first connection makes the file and switches it to WAL, so that readers find it so.
        open_first(&base).await?;
        let readers = SqlitePoolOptions::new()
            .max_connections(options.max_connections.clamp(1, 4))
            .min_connections(0)
            .acquire_timeout(Duration::from_secs(10))
            .connect_lazy_with(base.clone().pragma("query_only", "ON"));
        Ok(Backend::Sqlite {
            readers,
            writer: Writer::new(base),
        })
    }

    async fn open_postgres(url: &str, options: &StoreOptions) -> Result<Self, Error> {
        let parse = |url: &str, what: &str| {
            PgConnectOptions::from_str(url)
                .map(|o| o.application_name("gatepost").disable_statement_logging())
                // Poolers refuse it, and it is about numbers in text, of which none is asked for.
                .map(|o| o.extra_float_digits(None))
                .map_err(|_| {
                    Error::Url(format!(
                        "{what} is not of the form postgres://user:password@host/database"
                    ))
                })
        };
        let parsed = parse(url, "storage.url")?;
        let listen = match &options.listen_url {
            Some(url) => Some(parse(url, "storage.listen_url")?),
            None => None,
        };
        // One connection now, so that a wrong URL is told at start.
        let mut conn = connections::connect(&parsed).await?;
        let keeps_sessions = options.pooler.keeps_sessions(&mut conn, &parsed).await?;
        conn.close().await?;
        if !keeps_sessions && listen.is_none() {
            tracing::warn!(
                "storage.url leads to a pooler in transaction mode, and storage.listen_url is not set: what other \
                 instances write is noticed up to a second late; set it to a direct connection"
            );
        }
        let most = options.max_connections.max(2) as usize;
        Ok(Backend::Postgres {
            connections: Connections::own(parsed.clone(), most),
            listen: listen.or(keeps_sessions.then_some(parsed)),
            keeps_sessions,
        })
    }

    /// Over the caller's SQLite pool. Writes go through one connection of our own to the same file, since
    /// that is what lets transactions share a commit.
    pub(crate) fn from_sqlite_pool(pool: SqlitePool) -> Self {
        let options = (*pool.connect_options())
            .clone()
            .busy_timeout(BUSY_TIMEOUT)
            .synchronous(SqliteSynchronous::Full)
            .disable_statement_logging();
        Backend::Sqlite {
            readers: pool,
            writer: Writer::new(options),
        }
    }

    /// Over the caller's PostgreSQL pool.
    pub(crate) fn from_postgres_pool(pool: PgPool) -> Self {
        let listen = Some((*pool.connect_options()).clone());
        Backend::Postgres {
            connections: Connections::Callers(pool),
            listen,
            keeps_sessions: true,
        }
    }

    pub(crate) fn dialect(&self) -> Dialect {
        match self {
            Backend::Sqlite { .. } => Dialect::Sqlite,
            Backend::Postgres { .. } => Dialect::Postgres,
        }
    }

    /// Whether a session lasts as long as its connection, so that statements can be kept prepared on it.
    pub(crate) fn keeps_sessions(&self) -> bool {
        match self {
            Backend::Sqlite { .. } => true,
            Backend::Postgres { keeps_sessions, .. } => *keeps_sessions,
        }
    }

    /// Writes a consistent copy of the SQLite file to `target`, which must not be there yet.
    pub(crate) async fn copy_to(&self, target: &Path) -> Result<(), Error> {
        let Backend::Sqlite { writer, .. } = self else {
            return Err(Error::OtherDatabase {
                store: Dialect::Postgres,
            });
        };
        let mut conn = writer
            .options()
            .clone()
            .create_if_missing(false)
            .connect()
            .await?;
        let copied = sqlx::query("VACUUM INTO $1")
            .bind(target.to_string_lossy().into_owned())
            .execute(&mut conn)
            .await;
        conn.close().await?;
        copied?;
        Ok(())
    }

    pub(crate) async fn close(&self) {
        match self {
            Backend::Sqlite { readers, .. } => readers.close().await,
            Backend::Postgres { connections, .. } => connections.close().await,
        }
    }
}
