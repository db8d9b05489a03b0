//! Connections to PostgreSQL, for one transaction or reading after the other.
//!
//! sqlx's own pool asks the server before each use and after it whether the connection is well, which is two of the six
//! journeys of a short transaction. Here one that has just been used is taken as it is, since the first word of a
//! transaction tells as much: if it finds the connection dead, nothing was done, and the next one is tried.

use std::time::{Duration, Instant};

use deadpool::managed::{
    Manager, Metrics, Object, Pool, PoolConfig, PoolError, QueueMode, RecycleError, RecycleResult,
};
use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgPool};
use sqlx::{ConnectOptions, Connection, Postgres, Row as _};

/// How long a connection is waited for: another's end, or the server's coming back.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long one may have rested and still be taken as it is.
const FRESH: Duration = Duration::from_secs(1);
/// How long the server may take to say that a rested one is well.
const ANSWER: Duration = Duration::from_secs(5);
/// A connection that is older is not used again: what the server keeps for each only grows.
const LIFETIME: Duration = Duration::from_secs(30 * 60);
/// How long one rests before it is closed, and how often that is looked at.
const REST: Duration = Duration::from_secs(10 * 60);
const LOOK: Duration = Duration::from_secs(60);
/// How long the end of those in use is waited for when all are closed.
const LAST: Duration = Duration::from_secs(10);

/// All of one store.
#[derive(Clone, Debug)]
pub(crate) enum Connections {
    Own(Pool<Maker>),
    /// The caller's, which others use as well.
    Callers(PgPool),
}

/// One of them, given back when dropped.
pub(crate) enum Held {
    Own(Object<Maker>),
    Callers(PoolConnection<Postgres>),
}

#[derive(Debug)]
pub(crate) struct Maker(PgConnectOptions);

#[derive(Debug)]
pub(crate) struct Link {
    conn: PgConnection,
    made: Instant,
    /// When what it was last used for had come to its end; nothing of ours is under way on it.
    settled: Option<Instant>,
    /// Whether it was taken without asking.
    unasked: bool,
}

impl Manager for Maker {
    type Type = Link;
    type Error = sqlx::Error;

    async fn create(&self) -> Result<Link, sqlx::Error> {
        Ok(Link {
            conn: connect(&self.0).await?,
            made: Instant::now(),
            settled: None,
            unasked: false,
        })
    }

    async fn recycle(&self, link: &mut Link, _: &Metrics) -> RecycleResult<sqlx::Error> {
        if link.made.elapsed() > LIFETIME {
            return Err(RecycleError::message("it is old"));
        }
        let settled = link.settled.take();
        link.unasked = settled.is_some_and(|at| at.elapsed() < FRESH);
        match settled {
            Some(_) if link.unasked => Ok(()),
            Some(_) => link.ask().await,
            None => link.clear().await,
        }
    }
}

impl Link {
    /// Whether the server is there, with whatever was left on the way behind.
    async fn ask(&mut self) -> RecycleResult<sqlx::Error> {
        match tokio::time::timeout(ANSWER, self.conn.ping()).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(error.into()),
            Err(_) => Err(RecycleError::message("the server does not answer")),
        }
    }

    /// The same for one whose last user left without a word. If that was while it began a transaction, sqlx does not know
    /// of one, and what is next written without a transaction would never be committed.
    async fn clear(&mut self) -> RecycleResult<sqlx::Error> {
        let clear = async {
            // In a transaction this is its own time and the statement's, which are the same outside of one.
            let open = sqlx::raw_sql("SELECT now() <> statement_timestamp()")
                .fetch_one(&mut self.conn)
                .await
                .and_then(|row| row.try_get::<bool, _>(0));
            match open {
                Ok(false) => Ok(()),
                Ok(true) => sqlx::raw_sql("ROLLBACK").execute(&mut self.conn).await.map(drop),
                // One that has failed answers nothing; the connection is closed.
                Err(error) => Err(error),
            }
        };
        match tokio::time::timeout(ANSWER, clear).await {
            Ok(cleared) => Ok(cleared?),
            Err(_) => Err(RecycleError::message("the server does not answer")),
        }
    }
}

impl Connections {
    /// At most so many, made when they are needed.
    pub(crate) fn own(options: PgConnectOptions, most: usize) -> Self {
        let config = PoolConfig {
            queue_mode: QueueMode::Lifo,
            ..PoolConfig::new(most)
        };
        // Only a limit in time without a runtime to keep it could fail, and it has none.
        let pool = Pool::builder(Maker(options))
            .config(config)
            .build()
            .unwrap_or_else(|_| unreachable!("a pool without limits in time needs no runtime"));
        retire(&pool);
        Connections::Own(pool)
    }

    /// Whether what is given back unsettled is cleared before its next use. sqlx's own pool does not do that.
    pub(crate) fn clears(&self) -> bool {
        matches!(self, Connections::Own(_))
    }

    /// One that may only turn out to be dead when it is first used; see [`Held::is_unasked`].
    pub(crate) async fn take(&self) -> Result<Held, sqlx::Error> {
        match self {
            Connections::Own(pool) => match tokio::time::timeout(PATIENCE, pool.get()).await {
                Ok(Ok(held)) => Ok(Held::Own(held)),
                Ok(Err(PoolError::Backend(error))) => Err(error),
                Ok(Err(PoolError::Closed)) => Err(sqlx::Error::PoolClosed),
                Ok(Err(_)) | Err(_) => Err(sqlx::Error::PoolTimedOut),
            },
            Connections::Callers(pool) => Ok(Held::Callers(pool.acquire().await?)),
        }
    }

    /// One that was well a moment ago.
    pub(crate) async fn take_asked(&self) -> Result<Held, sqlx::Error> {
        loop {
            let mut held = self.take().await?;
            match &mut held {
                Held::Own(link) if link.unasked => match link.ask().await {
                    Ok(()) => return Ok(held),
                    Err(error) => {
                        tracing::debug!(%error, "a connection to PostgreSQL is gone");
                        held.discard();
                    }
                },
                _ => return Ok(held),
            }
        }
    }

    /// Ends all, those in use when they are given back.
    pub(crate) async fn close(&self) {
        let pool = match self {
            Connections::Own(pool) => pool,
            Connections::Callers(pool) => return pool.close().await,
        };
        let resting = pool.retain(|_, _| false).removed;
        pool.close();
        for link in resting {
            let _ = tokio::time::timeout(ANSWER, link.conn.close()).await;
        }
        let began = Instant::now();
        while pool.status().size > 0 && began.elapsed() < LAST {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

impl Held {
    pub(crate) fn conn(&mut self) -> &mut PgConnection {
        match self {
            Held::Own(link) => &mut link.conn,
            Held::Callers(conn) => conn,
        }
    }

    /// Whether nobody has asked since its last use if it is well.
    pub(crate) fn is_unasked(&self) -> bool {
        matches!(self, Held::Own(link) if link.unasked)
    }

    /// Says that what it was taken for has come to its end. Otherwise it is looked at before its next use.
    pub(crate) fn settled(&mut self) {
        if let Held::Own(link) = self {
            link.settled = Some(Instant::now());
        }
    }

    /// It is dead: another takes its place.
    pub(crate) fn discard(self) {
        if let Held::Own(link) = self {
            drop(Object::take(link));
        }
    }
}

/// A connection, if need be to a server that is only starting.
pub(crate) async fn connect(options: &PgConnectOptions) -> Result<PgConnection, sqlx::Error> {
    let began = Instant::now();
    let mut pause = Duration::from_millis(10);
    loop {
        let left = PATIENCE.saturating_sub(began.elapsed());
        let error = match tokio::time::timeout(left, options.connect()).await {
            Ok(Ok(conn)) => return Ok(conn),
            Ok(Err(error)) => error,
            Err(_) => return Err(sqlx::Error::PoolTimedOut),
        };
        let may_pass = match &error {
            sqlx::Error::Io(error) => error.kind() == std::io::ErrorKind::ConnectionRefused,
            sqlx::Error::Database(error) => error.is_transient_in_connect_phase(),
            _ => false,
        };
        if !may_pass || began.elapsed() + pause > PATIENCE {
            return Err(error);
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(PATIENCE / 5);
    }
}

/// Closes what has rested for long, for as long as there is a pool.
fn retire(pool: &Pool<Maker>) {
    let pool = pool.weak();
    tokio::spawn(async move {
        loop {
            tokio::time::sleep(LOOK).await;
            let Some(pool) = pool.upgrade() else { return };
            let rested = pool.retain(|link, _| link.settled.is_none_or(|at| at.elapsed() < REST));
            drop(pool);
            for link in rested.removed {
                let _ = tokio::time::timeout(ANSWER, link.conn.close()).await;
            }
        }
    });
}
