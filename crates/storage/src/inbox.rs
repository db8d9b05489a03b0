//! `inbox`: captured mail, sealed.

use uuid::Uuid;

use crate::{Dialect, Error, Timestamp, Tx};

/// A captured letter.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct InboxRow {
    /// Its place in the order of arrival.
    pub seq: i64,
    /// The delivery it came from.
    pub id: Uuid,
    /// What it says, to be opened by whoever has the program's secret.
    pub sealed: Vec<u8>,
    /// When it came.
    pub captured_at: Timestamp,
}

/// Keeps a letter; false if this delivery's is there already.
pub async fn insert(tx: &mut Tx<'_>, id: Uuid, recipient_hash: &[u8], sealed: &[u8]) -> Result<bool, Error> {
    if tx.dialect() == Dialect::Postgres {
        // One after another up to the commit, so that nobody who reads on from a number misses a lower one.
        execute!(tx, "SELECT pg_advisory_xact_lock(hashtext('{schema} inbox'))")?;
    }
    let now = tx.now();
    let rows = execute!(
        tx,
        "INSERT INTO {inbox} (id, recipient_hash, sealed, captured_at) VALUES ($1, $2, $3, $4) ON CONFLICT (id) DO NOTHING",
        id,
        recipient_hash,
        sealed,
        now
    )?;
    Ok(rows == 1)
}

/// One letter.
pub async fn get(tx: &mut Tx<'_>, id: Uuid) -> Result<Option<InboxRow>, Error> {
    fetch_optional!(
        tx,
        InboxRow,
        "SELECT seq, id, sealed, captured_at FROM {inbox} WHERE id = $1",
        id
    )
}

/// Letters after `after`, oldest first; to an address of one of `hashes`, or to anybody if it is empty.
pub async fn list(
    tx: &mut Tx<'_>,
    hashes: &[Vec<u8>],
    after: i64,
    limit: i64,
) -> Result<Vec<InboxRow>, Error> {
    let hash = |n: usize| {
        hashes
            .get(n)
            .or(hashes.first())
            .map(Vec::as_slice)
            .unwrap_or_default()
    };
    fetch_all!(
        tx,
        InboxRow,
        "SELECT seq, id, sealed, captured_at FROM {inbox}
         WHERE ($1 = 1 OR recipient_hash IN ($2, $3, $4)) AND seq > $5 ORDER BY seq LIMIT $6",
        i64::from(hashes.is_empty()),
        hash(0),
        hash(1),
        hash(2),
        after,
        limit
    )
}

/// The newest letters before `before` (or the newest of all), newest first.
pub async fn newest(tx: &mut Tx<'_>, before: Option<i64>, limit: i64) -> Result<Vec<InboxRow>, Error> {
    fetch_all!(
        tx,
        InboxRow,
        "SELECT seq, id, sealed, captured_at FROM {inbox} WHERE seq < $1 ORDER BY seq DESC LIMIT $2",
        before.unwrap_or(i64::MAX),
        limit
    )
}

/// Deletes at most `limit` letters that came before `before`.
pub async fn sweep(tx: &mut Tx<'_>, before: Timestamp, limit: i64) -> Result<u64, Error> {
    execute!(
        tx,
        "DELETE FROM {inbox} WHERE seq IN (SELECT seq FROM {inbox} WHERE captured_at < $1 ORDER BY captured_at LIMIT $2)",
        before,
        limit
    )
}
