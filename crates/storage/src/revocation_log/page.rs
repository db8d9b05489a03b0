//! The log in parts, for other programs that check tokens themselves.

use std::fmt;
use std::str::FromStr;

use crate::{Dialect, Error, Timestamp, Tx};

/// One row of a part.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Revocation {
    /// Its number, the same whenever it comes.
    pub id: i64,
    xact: i64,
    /// `session`, `subject` or `token`: as of [`News`](super::News).
    pub kind: String,
    /// Which one.
    pub key: String,
    /// For a subject: the lowest generation that still counts.
    pub generation: Option<i64>,
    /// When no access token can be alive that this would refuse.
    pub expires_at: Timestamp,
}

/// How far somebody else is; as text it can be kept by whoever it is.
///
/// On PostgreSQL rows are read in the order of their transactions' numbers. When all are read the next round begins at
/// the oldest transaction that was running when this round began: whatever commits late has its number or a higher one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PageCursor {
    dialect: Option<Dialect>,
    xact: i64,
    id: i64,
    /// Where the next round begins, while this one has not come to its end; else 0.
    horizon: i64,
}

impl fmt::Display for PageCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.dialect {
            None => f.write_str("0"),
            Some(Dialect::Sqlite) => write!(f, "s{}", self.id),
            Some(Dialect::Postgres) => write!(f, "p{}.{}.{}", self.xact, self.id, self.horizon),
        }
    }
}

/// Text that is no cursor of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoCursor;

impl FromStr for PageCursor {
    type Err = NoCursor;

    fn from_str(text: &str) -> Result<Self, NoCursor> {
        if text == "0" {
            return Ok(Self::default());
        }
        let (kind, rest) = text.split_at_checked(1).ok_or(NoCursor)?;
        let numbers: Vec<i64> = rest
            .split('.')
            .map(|n| n.parse().ok().filter(|n| *n >= 0))
            .collect::<Option<_>>()
            .ok_or(NoCursor)?;
        match (kind, numbers[..].as_ref()) {
            ("s", &[id]) => Ok(Self {
                dialect: Some(Dialect::Sqlite),
                id,
                ..Self::default()
            }),
            ("p", &[xact, id, horizon]) => Ok(Self {
                dialect: Some(Dialect::Postgres),
                xact,
                id,
                horizon,
            }),
            _ => Err(NoCursor),
        }
    }
}

/// Up to `limit` rows after `cursor` that can still refuse something, and the cursor to go on with. If they are `limit`
/// there may be more at once. A row may come twice; none is left out.
pub async fn page(
    tx: &mut Tx<'_>,
    cursor: PageCursor,
    limit: i64,
) -> Result<(Vec<Revocation>, PageCursor), Error> {
    let dialect = tx.dialect();
    let from = if cursor.dialect == Some(dialect) {
        cursor
    } else {
        // None yet, or one of before this database was moved.
        PageCursor {
            dialect: Some(dialect),
            ..PageCursor::default()
        }
    };
    match dialect {
        Dialect::Sqlite => by_id(tx, from, limit).await,
        Dialect::Postgres => by_transaction(tx, from, limit).await,
    }
}

async fn by_id(
    tx: &mut Tx<'_>,
    mut from: PageCursor,
    limit: i64,
) -> Result<(Vec<Revocation>, PageCursor), Error> {
    let now = tx.now();
    let (highest,): (i64,) = fetch_one!(
        tx,
        (i64,),
        sql! {
            sqlite: "SELECT COALESCE((SELECT seq FROM sqlite_sequence WHERE name = '{revocation_log}'), 0)",
            postgres: "SELECT 0::bigint",
        }
    )?;
    if from.id > highest {
        // The file was set back to an older state.
        from.id = 0;
    }
    let rows: Vec<Revocation> = fetch_all!(
        tx,
        Revocation,
        "SELECT id, 0 AS xact, kind, key, generation, expires_at FROM {revocation_log}
         WHERE id > $1 AND expires_at > $2 ORDER BY id LIMIT $3",
        from.id,
        now,
        limit
    )?;
    from.id = rows.last().map_or(from.id, |row| row.id);
    Ok((rows, from))
}

#[derive(sqlx::FromRow)]
struct Found {
    oldest: i64,
    next: i64,
    id: Option<i64>,
    xact: Option<i64>,
    kind: Option<String>,
    key: Option<String>,
    generation: Option<i64>,
    expires_at: Option<Timestamp>,
}

async fn by_transaction(
    tx: &mut Tx<'_>,
    mut from: PageCursor,
    limit: i64,
) -> Result<(Vec<Revocation>, PageCursor), Error> {
    let mut found = read(tx, from, limit).await?;
    if found
        .first()
        .is_some_and(|row| row.next < from.xact.max(from.horizon))
    {
        // Transactions are numbered from lower on: the database was set back to an older state.
        (from.xact, from.id, from.horizon) = (0, 0, 0);
        found = read(tx, from, limit).await?;
    }
    let oldest = found.first().map_or(from.xact, |row| row.oldest);
    let horizon = if from.horizon == 0 { oldest } else { from.horizon };
    let rows: Vec<Revocation> = found
        .into_iter()
        .filter_map(|row| {
            Some(Revocation {
                id: row.id?,
                xact: row.xact?,
                kind: row.kind?,
                key: row.key?,
                generation: row.generation,
                expires_at: row.expires_at?,
            })
        })
        .collect();
    let full = rows.len() >= usize::try_from(limit).unwrap_or(usize::MAX);
    match rows.last() {
        Some(last) if full => (from.xact, from.id, from.horizon) = (last.xact, last.id, horizon),
        _ => (from.xact, from.id, from.horizon) = (horizon, 0, 0),
    }
    Ok((rows, from))
}

async fn read(tx: &mut Tx<'_>, from: PageCursor, limit: i64) -> Result<Vec<Found>, Error> {
    let now = tx.now();
    fetch_all!(
        tx,
        Found,
        sql! {
            sqlite: "SELECT 0 AS oldest, 0 AS next, NULL AS id, NULL AS xact, NULL AS kind, NULL AS key,
                     NULL AS generation, NULL AS expires_at",
            postgres: "SELECT here.oldest, here.next, news.* FROM
                       (SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint AS oldest,
                               pg_snapshot_xmax(pg_current_snapshot())::text::bigint AS next) AS here
                       LEFT JOIN LATERAL
                       (SELECT id, xact, kind, key, generation, expires_at FROM {revocation_log}
                        WHERE xact >= $1 AND (xact > $1 OR id > $2) AND expires_at > $3
                        ORDER BY xact, id LIMIT $4) AS news ON true",
        },
        from.xact,
        from.id,
        now,
        limit
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_read_as_it_is_written_and_nothing_else_is() {
        for text in ["0", "s0", "s12", "p5.6.0", "p5.6.4"] {
            assert_eq!(text.parse::<PageCursor>().unwrap().to_string(), text);
        }
        for text in [
            "", "1", "s", "s-1", "s1.2", "p1.2", "p1.2.3.4", "x1", "p1.2.a", "é",
        ] {
            assert_eq!(text.parse::<PageCursor>(), Err(NoCursor), "{text}");
        }
    }
}
