//! A pooler between us and PostgreSQL, and what it does to sessions.
//!
//! In transaction mode each transaction may run on another of the server's connections. A statement that was prepared
//! on one is not there on the next, or is somebody else's under the same name; `LISTEN` hears nothing. Behind such a
//! pooler every statement runs unnamed and within a transaction, reading included, and nothing else of a session is
//! relied upon anywhere: settings are `SET LOCAL`, locks end with their transaction.

use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{ConnectOptions, Connection, Row};

use crate::Error;

/// How long the look may take. What is not known by then is taken for a pooler in transaction mode, which is right in
/// any case and only slower.
const PATIENCE: Duration = Duration::from_secs(2);
/// How often two sessions are looked at in turn. One look can be deceived: while somebody else's transaction holds the
/// process that a session was answered by, another session gets a second one, as if each had its own.
const ROUNDS: usize = 8;

/// How long a session lasts behind the URL.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Pooler {
    /// Look when the store is opened.
    #[default]
    Auto,
    /// As long as the connection: no pooler, or one that keeps sessions. `PgBouncer` from 1.21 on with
    /// `max_prepared_statements` above 0 follows prepared statements too, and may be called so.
    Session,
    /// As long as a transaction.
    Transaction,
}

impl Pooler {
    /// Whether a session lasts as long as the connection that `held` is one of.
    pub(crate) async fn keeps_sessions(
        self,
        held: &mut PgConnection,
        options: &PgConnectOptions,
    ) -> Result<bool, Error> {
        match self {
            Pooler::Session => Ok(true),
            Pooler::Transaction => Ok(false),
            Pooler::Auto => match tokio::time::timeout(PATIENCE, look(held, options)).await {
                Ok(Ok(keeps)) => Ok(keeps),
                Ok(Err(error)) if is_statement_mode(&error) => Err(Error::Url(
                    "the pooler there is in statement mode, which has no transactions: let it pool sessions or \
                     transactions"
                        .into(),
                )),
                Ok(Err(error)) => {
                    tracing::debug!(%error, "whether a pooler is there could not be found out; one is assumed");
                    Ok(false)
                }
                Err(_) => Ok(false),
            },
        }
    }
}

/// A session of its own always has the same process at its other end, and shares it with nobody.
///
/// A pooler gives out what was given back last: whichever of the two asks next gets the process that the other one
/// has just left, unless others come between, and these do not come between each time.
async fn look(held: &mut PgConnection, options: &PgConnectOptions) -> Result<bool, sqlx::Error> {
    let mut other = options.connect().await?;
    let own = process(held).await?;
    let others = process(&mut other).await?;
    let mut alone = own != others;
    for _ in 0..ROUNDS {
        alone = alone && process(held).await? == own;
        // Once in any case: in statement mode it is refused.
        sqlx::raw_sql("BEGIN").execute(&mut other).await?;
        alone = alone && process(&mut other).await? == others && process(held).await? == own;
        sqlx::raw_sql("ROLLBACK").execute(&mut other).await?;
        if !alone {
            break;
        }
    }
    other.close().await?;
    Ok(alone)
}

async fn process(conn: &mut PgConnection) -> Result<i32, sqlx::Error> {
    sqlx::raw_sql("SELECT pg_backend_pid()")
        .fetch_one(conn)
        .await?
        .try_get(0)
}

fn is_statement_mode(error: &sqlx::Error) -> bool {
    error
        .as_database_error()
        .is_some_and(|error| error.message().contains("statement pooling"))
}
