//! `generations`: per subject and class of purposes a number; a token that carries a lower one is dead.
//!
//! All numbers come from one counter, so that a row can be forgotten when every token older than it has expired,
//! and a later row still stands above every number ever given out. The class `*` counts for all classes.

use crate::{Error, Timestamp, Tx};

/// The class that counts for every other as well.
pub const EVERY_CLASS: &str = "*";

/// The number that a token of this class must have reached; 0 if none was ever revoked.
pub async fn current(tx: &mut Tx<'_>, subject: &str, class: &str) -> Result<i64, Error> {
    let (generation,): (i64,) = fetch_one!(
        tx,
        (i64,),
        "SELECT COALESCE(MAX(generation), 0) FROM {generations} WHERE subject = $1 AND class IN ($2, '*')",
        subject,
        class
    )?;
    Ok(generation)
}

/// A number higher than any given out before.
pub async fn next(tx: &mut Tx<'_>) -> Result<i64, Error> {
    let (generation,): (i64,) = fetch_one!(
        tx,
        (i64,),
        sql! {
            sqlite: "UPDATE {generation_counter} SET value = value + 1 WHERE id = 1 RETURNING value",
            postgres: "SELECT nextval('{generation_counter}')",
        }
    )?;
    Ok(generation)
}

/// Kills every token of the class that was made before now; the new number.
pub async fn bump(tx: &mut Tx<'_>, subject: &str, class: &str) -> Result<i64, Error> {
    let now = tx.now();
    if tx.dialect() == crate::Dialect::Sqlite {
        // One writer: nothing comes between the two statements.
        let generation = next(tx).await?;
        raise(tx, subject, class, generation).await?;
        return Ok(generation);
    }
    // The number is drawn again once the row is locked: two who bump at once must not kill less than either means.
    let (generation,): (i64,) = fetch_one!(
        tx,
        (i64,),
        sql! {
            sqlite: "SELECT 0",
            postgres: "INSERT INTO {generations} AS g (subject, class, generation, raised_at)
                       VALUES ($1, $2, nextval('{generation_counter}'), $3)
                       ON CONFLICT (subject, class) DO UPDATE
                       SET generation = nextval('{generation_counter}'), raised_at = excluded.raised_at
                       RETURNING generation",
        },
        subject,
        class,
        now
    )?;
    Ok(generation)
}

/// Kills the tokens of the class whose number is lower; whether any could have been alive.
pub async fn raise(tx: &mut Tx<'_>, subject: &str, class: &str, generation: i64) -> Result<bool, Error> {
    let now = tx.now();
    let rows = execute!(
        tx,
        "INSERT INTO {generations} AS g (subject, class, generation, raised_at) VALUES ($1, $2, $3, $4)
         ON CONFLICT (subject, class) DO UPDATE
         SET generation = excluded.generation, raised_at = excluded.raised_at
         WHERE g.generation < excluded.generation",
        subject,
        class,
        generation,
        now
    )?;
    Ok(rows == 1)
}

/// Forgets up to `limit` rows that were last raised before `before`; how many.
pub async fn sweep(tx: &mut Tx<'_>, before: Timestamp, limit: i64) -> Result<u64, Error> {
    execute!(
        tx,
        "DELETE FROM {generations} WHERE (subject, class) IN
         (SELECT subject, class FROM {generations} WHERE raised_at < $1 ORDER BY raised_at LIMIT $2)",
        before,
        limit
    )
}
