//! Table `deliveries`: letters of other programs that have just come and are sent at once. Nothing is known of them, so
//! that one statement writes what [`insert`](crate::deliveries_many::insert) and
//! [`start`](crate::deliveries_many::start) write in two: half the index entries of a row on PostgreSQL.

use sqlx::types::Json;
use uuid::Uuid;

use crate::deliveries::NewDelivery;
use crate::deliveries_foreign::Foreign;
use crate::deliveries_many::Wire;
use crate::{Error, Timestamp, Tx};

/// Writes letters whose start is noted with them, all under one lease token, and begins their timelines (`queued`,
/// `sending`); the ids that went in. Those that are there already do not, nor do letters whose template is
/// [paused](crate::mail_pauses).
pub async fn begin(
    tx: &mut Tx<'_>,
    new: &[(NewDelivery<'_>, Option<&Foreign>)],
    lease: Uuid,
    until: Timestamp,
) -> Result<Vec<Uuid>, Error> {
    if new.is_empty() {
        return Ok(Vec::new());
    }
    let now = tx.now();
    let rows: Vec<Wire<'_>> = new.iter().map(Wire::of).collect();
    let sql = sql! {
        sqlite: "INSERT INTO {deliveries} (id, message_id, template, locale, queue, about, recipient, \
             recipient_hash, state, expires_at, created_at, updated_at, body_digest, attempts, \
             starts, open_starts, lease, lease_until) \
             SELECT unhex(r.value ->> 'id'), unhex(r.value ->> 'message_id'), r.value ->> 'template', \
             r.value ->> 'locale', r.value ->> 'queue', r.value ->> 'about', r.value ->> 'recipient', \
             unhex(r.value ->> 'recipient_hash'), 'sending', r.value ->> 'expires_at', $2, $3, \
             unhex(r.value ->> 'digest'), r.value ->> 'tried', 1, 1, $4, $5 \
             FROM json_each($1) AS r WHERE NOT EXISTS (SELECT 1 FROM {mail_pauses} AS p \
                 WHERE p.template = '' OR p.template = r.value ->> 'template') \
             ON CONFLICT DO NOTHING RETURNING id",
        postgres: "INSERT INTO {deliveries} (id, message_id, template, locale, queue, about, recipient, \
             recipient_hash, state, expires_at, created_at, updated_at, body_digest, attempts, \
             starts, open_starts, lease, lease_until) \
             SELECT r.id, r.message_id, r.template, r.locale, r.queue, r.about, r.recipient, \
             decode(r.recipient_hash, 'hex'), 'sending', \
             'epoch'::timestamptz + r.expires_at * interval '1 microsecond', $2, $3, \
             decode(r.digest, 'hex'), r.tried, 1, 1, $4, $5 \
             FROM jsonb_to_recordset($1) AS r(id uuid, message_id uuid, template text, locale text, queue text, \
             about text, recipient text, recipient_hash text, expires_at bigint, digest text, tried bigint) \
             WHERE NOT EXISTS (SELECT 1 FROM {mail_pauses} AS p WHERE p.template = '' OR p.template = r.template) \
             ON CONFLICT DO NOTHING RETURNING id",
    };
    let begun: Vec<(Uuid,)> = fetch_all!(tx, (Uuid,), sql, Json(&rows), now, now, lease, until)?;
    let begun: Vec<Uuid> = begun.into_iter().map(|(id,)| id).collect();
    tx.count_rows(begun.len() as u64);
    crate::delivery_events::begin(tx, &begun).await?;
    Ok(begun)
}
