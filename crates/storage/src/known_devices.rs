//! `known_devices`: what somebody has logged in with before, by keyed hashes. No device, address or cookie stands here.

use crate::{Error, Timestamp, Tx};

/// How many a user has at most; the ones that were not seen for longest go.
const MOST: i64 = 40;

/// What a login with these marks is to its user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Acquaintance {
    /// Nothing is known of this user: the first login, or the first in a long time.
    First,
    /// One of the marks was seen before.
    Known,
    /// None of them was, and others were.
    New,
}

/// Notes the marks of a login, and says what they are to this user. `since`: what was last seen before that is
/// forgotten.
pub async fn note(
    tx: &mut Tx<'_>,
    subject: &str,
    marks: &[[u8; 32]],
    since: Timestamp,
) -> Result<Acquaintance, Error> {
    let now = tx.now();
    let known: Vec<(Vec<u8>,)> = fetch_all!(
        tx,
        (Vec<u8>,),
        "SELECT mark FROM {known_devices} WHERE subject = $1 AND seen_at > $2",
        subject,
        since
    )?;
    for mark in marks {
        execute!(
            tx,
            "INSERT INTO {known_devices} (subject, mark, seen_at) VALUES ($1, $2, $3)
             ON CONFLICT (subject, mark) DO UPDATE SET seen_at = excluded.seen_at",
            subject,
            mark.as_slice(),
            now
        )?;
    }
    if known.len() + marks.len() > usize::try_from(MOST).unwrap_or(usize::MAX) {
        execute!(
            tx,
            "DELETE FROM {known_devices} WHERE subject = $1 AND mark NOT IN
                 (SELECT mark FROM {known_devices} WHERE subject = $1 ORDER BY seen_at DESC, mark LIMIT $2)",
            subject,
            MOST
        )?;
    }
    let is_known = |mark: &[u8; 32]| known.iter().any(|(seen,)| seen == mark);
    Ok(if known.is_empty() {
        Acquaintance::First
    } else if marks.iter().any(is_known) {
        Acquaintance::Known
    } else {
        Acquaintance::New
    })
}

/// Forgets all of a user's: the account is gone.
pub async fn forget_user(tx: &mut Tx<'_>, subject: &str) -> Result<u64, Error> {
    execute!(tx, "DELETE FROM {known_devices} WHERE subject = $1", subject)
}

/// Deletes what was last seen before `before`, at most `batch` rows; how many.
pub async fn sweep(tx: &mut Tx<'_>, before: Timestamp, batch: i64) -> Result<u64, Error> {
    execute!(
        tx,
        "DELETE FROM {known_devices} WHERE (subject, mark) IN
             (SELECT subject, mark FROM {known_devices} WHERE seen_at < $1 ORDER BY seen_at LIMIT $2)",
        before,
        batch
    )
}
