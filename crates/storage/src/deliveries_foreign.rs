//! Table `deliveries`, for mail that other programs put on the queue: their messages often have no id, and then only
//! their bodies tell one that is delivered again.

use std::time::Duration;

use uuid::Uuid;

use crate::{Error, Timestamp, Tx};

/// A delivery that was recognised is left alone for this long: of several equal messages that come again together,
/// each is to find one of its own. Not for longer: whoever recognised it may have died before the broker heard, and the
/// same message comes once more.
const ONE_EACH: Duration = Duration::from_secs(8);

/// What a message of another program is known by.
#[derive(Debug, Clone)]
pub struct Foreign {
    /// Its delivery.
    pub id: Uuid,
    /// A digest of its body.
    pub digest: [u8; 32],
    /// How often others have tried to deliver it.
    pub tried: i64,
}

/// Whether there is a delivery of that id for a message with that body.
pub async fn is_of(tx: &mut Tx<'_>, id: Uuid, digest: &[u8; 32]) -> Result<bool, Error> {
    let row: Option<(Uuid,)> = fetch_optional!(
        tx,
        (Uuid,),
        "SELECT id FROM {deliveries} WHERE id = $1 AND body_digest = $2",
        id,
        digest.as_slice()
    )?;
    Ok(row.is_some())
}

/// Finds the delivery that a message was for which is delivered again, among those made since then: first one that
/// has not ended, else one that has; of each first one that no message was taken for yet.
pub async fn recognise(
    tx: &mut Tx<'_>,
    queue: &str,
    digest: &[u8; 32],
    since: Timestamp,
) -> Result<Option<Uuid>, Error> {
    let now = tx.now();
    let open = sql! {
        sqlite: "UPDATE {deliveries} SET recognised_at = $4 WHERE id = (SELECT id FROM {deliveries} \
             WHERE body_digest = $1 AND queue = $2 AND created_at >= $3 AND state IN ('waiting', 'sending', 'deferred') \
             AND (recognised_at IS NULL OR recognised_at <= $5) ORDER BY coalesce(recognised_at, 0), id LIMIT 1) \
             RETURNING id",
        postgres: "UPDATE {deliveries} SET recognised_at = $4 WHERE id = (SELECT id FROM {deliveries} \
             WHERE body_digest = $1 AND queue = $2 AND created_at >= $3 AND state IN ('waiting', 'sending', 'deferred') \
             AND (recognised_at IS NULL OR recognised_at <= $5) ORDER BY recognised_at NULLS FIRST, id LIMIT 1 \
             FOR UPDATE SKIP LOCKED) RETURNING id",
    };
    let digest = digest.as_slice();
    let found: Option<(Uuid,)> =
        fetch_optional!(tx, (Uuid,), open, digest, queue, since, now, now - ONE_EACH)?;
    if let Some((id,)) = found {
        return Ok(Some(id));
    }
    let ended = sql! {
        sqlite: "UPDATE {deliveries} SET recognised_at = $4 WHERE id = (SELECT id FROM {deliveries} \
             WHERE body_digest = $1 AND queue = $2 AND created_at >= $3 AND (recognised_at IS NULL OR recognised_at <= $5) \
             AND state NOT IN ('waiting', 'sending', 'deferred') ORDER BY coalesce(recognised_at, 0), id LIMIT 1) RETURNING id",
        postgres: "UPDATE {deliveries} SET recognised_at = $4 WHERE id = (SELECT id FROM {deliveries} \
             WHERE body_digest = $1 AND queue = $2 AND created_at >= $3 AND (recognised_at IS NULL OR recognised_at <= $5) \
             AND state NOT IN ('waiting', 'sending', 'deferred') ORDER BY recognised_at NULLS FIRST, id LIMIT 1 \
             FOR UPDATE SKIP LOCKED) RETURNING id",
    };
    let found: Option<(Uuid,)> =
        fetch_optional!(tx, (Uuid,), ended, digest, queue, since, now, now - ONE_EACH)?;
    Ok(found.map(|(id,)| id))
}
