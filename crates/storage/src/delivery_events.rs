//! `delivery_events`: the timeline of each letter.

use uuid::Uuid;

use crate::{Error, Timestamp, Tx};

/// Something that happened to a letter, once or several times in a row.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct DeliveryEventRow {
    /// What: `queued`, `sending`, `deferred`, `sent`, ...
    pub event: String,
    /// What the mail server said, or why.
    pub detail: Option<String>,
    /// How often in a row.
    pub times: i64,
    /// When first.
    pub at: Timestamp,
    /// When last.
    pub last_at: Timestamp,
}

/// Adds to a letter's timeline. The same as the event before it is counted there, so that a long
/// outage does not fill the table.
pub async fn note(
    tx: &mut Tx<'_>,
    delivery_id: Uuid,
    event: &str,
    detail: Option<&str>,
) -> Result<(), Error> {
    let now = tx.now();
    let again = execute!(
        tx,
        "UPDATE {delivery_events} SET times = times + 1, last_at = $4
         WHERE delivery_id = $1 AND event = $2 AND coalesce(detail, '') = $3
           AND seq = (SELECT max(seq) FROM {delivery_events} WHERE delivery_id = $5)",
        delivery_id,
        event,
        detail.unwrap_or_default(),
        now,
        delivery_id
    )?;
    if again == 0 {
        execute!(
            tx,
            "INSERT INTO {delivery_events} (delivery_id, seq, event, detail, at, last_at)
             SELECT $1, coalesce(max(seq), 0) + 1, $2, $3, $4, $5 FROM {delivery_events} WHERE delivery_id = $6",
            delivery_id,
            event,
            detail,
            now,
            now,
            delivery_id
        )?;
    }
    Ok(())
}

/// The timeline of a letter, oldest first.
pub async fn of(tx: &mut Tx<'_>, delivery_id: Uuid) -> Result<Vec<DeliveryEventRow>, Error> {
    fetch_all!(
        tx,
        DeliveryEventRow,
        "SELECT event, detail, times, at, last_at FROM {delivery_events} WHERE delivery_id = $1 ORDER BY seq",
        delivery_id
    )
}
