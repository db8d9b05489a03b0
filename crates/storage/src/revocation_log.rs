//! `revocation_log`: the news that living access tokens are dead, for the memory of every instance.
//!
//! Ids are given out before the commit on PostgreSQL, so who reads must not go by the last id: a transaction that
//! commits late would be stepped over. Each row knows its transaction, and a reader keeps the snapshot that it read in:
//! what that did not show is new.

mod load;
mod page;

use futures_util::TryStreamExt as _;
use sqlx::types::Json;

pub use self::page::{PageCursor, Revocation, page};
use crate::tx::Raw;
use crate::{Error, Timestamp, Tx};

/// The topic that is woken when a row is written.
pub const TOPIC: &str = "revocations";

/// Rows of SQLite that are read at once.
const CHUNK: i64 = 10_000;

/// One piece of news.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct News<'a> {
    /// `session` (key: its id), `subject` (key: the subject; below `generation` all is dead), `token` (key: its `jti`).
    pub kind: &'a str,
    /// Which one.
    pub key: &'a str,
    /// For a subject: the lowest generation that still counts.
    pub generation: Option<i64>,
    /// When no access token can be alive that this would refuse.
    pub expires_at: Timestamp,
}

/// Tells every instance, once this is committed.
pub async fn insert(tx: &mut Tx<'_>, news: &News<'_>) -> Result<(), Error> {
    execute!(
        tx,
        "INSERT INTO {revocation_log} (kind, key, generation, expires_at) VALUES ($1, $2, $3, $4)",
        news.kind,
        news.key,
        news.generation,
        news.expires_at
    )?;
    tx.wake(TOPIC);
    Ok(())
}

/// How far a reader is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cursor(Option<Seen>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Seen {
    /// SQLite: the last id. There is one writer, so ids are given in the order of commits.
    Id(i64),
    /// PostgreSQL: transactions from this one on, and those that were running, have not been seen.
    Snapshot { next: i64, running: Vec<i64> },
}

#[derive(sqlx::FromRow)]
struct Row {
    id: i64,
    kind: String,
    key: String,
    generation: Option<i64>,
    expires_at: Timestamp,
}

impl Row {
    fn news(&self) -> News<'_> {
        News {
            kind: &self.kind,
            key: &self.key,
            generation: self.generation,
            expires_at: self.expires_at,
        }
    }
}

/// Gives `each` what came since `cursor` (the default: everything) and can still refuse something; the cursor to ask
/// with the next time. A row may come twice; none is left out, however late it is committed. What was given before an
/// error was read rightly.
pub async fn since(
    tx: &mut Tx<'_>,
    cursor: &Cursor,
    each: &mut (dyn FnMut(&News<'_>) + Send),
) -> Result<Cursor, Error> {
    if tx.dialect() == crate::Dialect::Sqlite {
        return chunks(tx, cursor, each).await;
    }
    match &cursor.0 {
        Some(Seen::Snapshot { next, running }) => {
            let (now_next, now_running) = unseen(tx, *next, running, each).await?;
            if now_next < *next {
                // Transactions are numbered from lower on: this is another database, or an older state of it.
                return load::all(tx, each).await;
            }
            Ok(Cursor(Some(Seen::Snapshot {
                next: now_next,
                running: now_running,
            })))
        }
        _ => load::all(tx, each).await,
    }
}

async fn chunks(
    tx: &mut Tx<'_>,
    cursor: &Cursor,
    each: &mut (dyn FnMut(&News<'_>) + Send),
) -> Result<Cursor, Error> {
    let now = tx.now();
    let mut last = match cursor.0 {
        Some(Seen::Id(id)) => id,
        _ => 0,
    };
    loop {
        let rows: Vec<Row> = fetch_all!(
            tx,
            Row,
            "SELECT id, kind, key, generation, expires_at FROM {revocation_log}
             WHERE id > $1 AND expires_at > $2 ORDER BY id LIMIT $3",
            last,
            now,
            CHUNK
        )?;
        for row in &rows {
            each(&row.news());
            last = row.id;
        }
        if rows.len() < usize::try_from(CHUNK).unwrap_or(usize::MAX) {
            return Ok(Cursor(Some(Seen::Id(last))));
        }
    }
}

/// The first row is the snapshot that the others are read in, since all is one statement.
const UNSEEN: &str = "SELECT pg_current_snapshot()::text AS snapshot, NULL::text AS kind, NULL::text AS key,
           NULL::bigint AS generation, NULL::timestamptz AS expires_at
     UNION ALL SELECT NULL, kind, key, generation, expires_at FROM {revocation_log}
     WHERE xact >= $1 AND xact < pg_snapshot_xmax(pg_current_snapshot())::text::bigint AND expires_at > $3
     UNION ALL SELECT NULL, kind, key, generation, expires_at FROM {revocation_log}
     WHERE xact = ANY ($2) AND expires_at > $3";

type Unseen = (
    Option<String>,
    Option<String>,
    Option<String>,
    Option<i64>,
    Option<Timestamp>,
);

async fn unseen(
    tx: &mut Tx<'_>,
    next: i64,
    running: &[i64],
    each: &mut (dyn FnMut(&News<'_>) + Send),
) -> Result<(i64, Vec<i64>), Error> {
    let now = tx.now();
    let text = tx.expand(UNSEEN.into());
    tx.count_statement();
    let keep = tx.prepares();
    let Raw::Postgres(conn) = tx.raw() else {
        return Ok((next, running.to_vec()));
    };
    let mut rows = sqlx::query_as::<sqlx::Postgres, Unseen>(sqlx::AssertSqlSafe(text))
        .persistent(keep)
        .bind(next)
        .bind(running)
        .bind(now)
        .fetch(&mut **conn);
    let mut snapshot = None;
    while let Some((at, kind, key, generation, expires_at)) = rows.try_next().await? {
        snapshot = snapshot.or(at);
        if let (Some(kind), Some(key), Some(expires_at)) = (kind, key, expires_at) {
            each(&News {
                kind: &kind,
                key: &key,
                generation,
                expires_at,
            });
        }
    }
    snapshot.as_deref().and_then(parse_snapshot).ok_or_else(strange)
}

/// `xmin:xmax:xip,xip`: the next number, and which before it were running.
fn parse_snapshot(text: &str) -> Option<(i64, Vec<i64>)> {
    let mut parts = text.splitn(3, ':');
    let (_, next, running) = (parts.next()?, parts.next()?, parts.next()?);
    let running = running.split(',').filter(|id| !id.is_empty());
    Some((
        next.parse().ok()?,
        running.map(str::parse).collect::<Result<_, _>>().ok()?,
    ))
}

/// What a database of this kind does not answer.
fn strange() -> Error {
    Error::from(sqlx::Error::Protocol(
        "the revocation log was not answered as PostgreSQL does".to_owned(),
    ))
}

/// Up to `limit` rows, by their numbers, that can refuse nothing any more.
pub async fn expired(tx: &mut Tx<'_>, limit: i64) -> Result<Vec<i64>, Error> {
    let now = tx.now();
    let rows: Vec<(i64,)> = fetch_all!(
        tx,
        (i64,),
        "SELECT id FROM {revocation_log} WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2",
        now,
        limit
    )?;
    Ok(rows.into_iter().map(|(id,)| id).collect())
}

/// Forgets those of these rows that can refuse nothing any more; how many.
pub async fn forget(tx: &mut Tx<'_>, ids: &[i64]) -> Result<u64, Error> {
    let now = tx.now();
    execute!(
        tx,
        sql! {
            sqlite: "DELETE FROM {revocation_log} WHERE id IN (SELECT value FROM json_each($1)) AND expires_at <= $2",
            postgres: "DELETE FROM {revocation_log} \
                       WHERE id = ANY (ARRAY(SELECT jsonb_array_elements_text($1)::bigint)) AND expires_at <= $2",
        },
        Json(ids),
        now
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_snapshot_is_the_next_number_and_who_was_running() {
        assert_eq!(parse_snapshot("10:20:10,14"), Some((20, vec![10, 14])));
        assert_eq!(parse_snapshot("7:7:"), Some((7, vec![])));
        assert_eq!(parse_snapshot("7:x:"), None);
    }
}
