//! `revocation_log`: the news that living access tokens are dead, for the memory of every instance.

use crate::{Error, Timestamp, Tx};

/// The topic that is woken when a row is written.
pub const TOPIC: &str = "revocations";

/// One piece of news.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RevocationRow {
    /// `session` (key: its id), `subject` (key: the subject; below `generation` all is dead), `token` (key: its `jti`).
    pub kind: String,
    /// Which one.
    pub key: String,
    /// For a subject: the lowest generation that still counts.
    pub generation: Option<i64>,
    /// When no access token can be alive that this would refuse.
    pub expires_at: Timestamp,
}

/// Tells every instance, once this is committed.
pub async fn insert(tx: &mut Tx<'_>, row: &RevocationRow) -> Result<(), Error> {
    execute!(
        tx,
        "INSERT INTO {revocation_log} (kind, key, generation, expires_at) VALUES ($1, $2, $3, $4)",
        &row.kind,
        &row.key,
        row.generation,
        row.expires_at
    )?;
    tx.wake(TOPIC);
    Ok(())
}

#[derive(sqlx::FromRow)]
struct Polled {
    cursor: i64,
    kind: Option<String>,
    key: Option<String>,
    generation: Option<i64>,
    expires_at: Option<Timestamp>,
}

/// What came since `cursor` (0 for everything), and the cursor to ask with the next time.
///
/// On SQLite the cursor is the last id: there is one writer, so ids are given in the order of commits. On PostgreSQL
/// it is the oldest transaction that was still running when this was read: whatever commits later is as old or
/// younger. Rows may come again; they are never left out.
pub async fn since(tx: &mut Tx<'_>, cursor: i64) -> Result<(Vec<RevocationRow>, i64), Error> {
    let now = tx.now();
    let polled: Vec<Polled> = fetch_all!(
        tx,
        Polled,
        sql! {
            sqlite: "SELECT news.id AS cursor, news.kind, news.key, news.generation, news.expires_at
                     FROM {revocation_log} AS news WHERE news.id > $1 AND news.expires_at > $2 ORDER BY news.id",
            postgres: "SELECT here.oldest AS cursor, news.kind, news.key, news.generation, news.expires_at
                       FROM (SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint AS oldest) AS here
                       LEFT JOIN {revocation_log} AS news ON news.xact >= $1 AND news.expires_at > $2",
        },
        cursor,
        now
    )?;
    let next = polled.last().map_or(cursor, |row| row.cursor);
    let rows = polled.into_iter().filter_map(|row| {
        Some(RevocationRow {
            kind: row.kind?,
            key: row.key?,
            generation: row.generation,
            expires_at: row.expires_at?,
        })
    });
    Ok((rows.collect(), next))
}

/// Forgets up to `limit` rows that can refuse nothing any more; how many.
pub async fn sweep(tx: &mut Tx<'_>, limit: i64) -> Result<u64, Error> {
    let now = tx.now();
    execute!(
        tx,
        sql! {
            sqlite: "DELETE FROM {revocation_log} WHERE id IN
                     (SELECT id FROM {revocation_log} WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2)",
            postgres: "DELETE FROM {revocation_log} WHERE id = ANY (ARRAY
                       (SELECT id FROM {revocation_log} WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2
                        FOR UPDATE SKIP LOCKED))",
        },
        now,
        limit
    )
}
