//! Table `deliveries`, many letters at a time: what starts or ends at the same moment shares its
//! statements. Every function does for each letter what its namesake in [`deliveries`](crate::deliveries)
//! does for one, and says which letters it won.
//!
//! Rows are found by their ids alone. What is asked of their states is written such that no index answers it
//! (`+state` on SQLite, `IS TRUE` on PostgreSQL): through the index of states both would pass by all that was ever in
//! that state, dead versions of rows included, once for each batch. PostgreSQL is given the ids as an array besides
//! (`= ANY`): a plan made while the table was empty may else walk all of it and look each row up in the batch.

use serde::Serialize;
use sqlx::types::Json;
use uuid::Uuid;

use crate::deliveries::{DeliveryRow, NewDelivery};
use crate::deliveries_foreign::Foreign;
use crate::outbox::{Held, hex};
use crate::outbox_claims::micros_or_none;
use crate::{Error, Timestamp, Tx};

/// PostgreSQL: `d` is one of those in `$1`, and is being sent under the lease that stands there.
macro_rules! held {
    () => {
        "d.id = ANY (ARRAY(SELECT r.id FROM jsonb_to_recordset($1) AS r(id uuid))) \
         AND ((d.id, d.lease) IN (SELECT r.id, r.lease FROM jsonb_to_recordset($1) AS r(id uuid, lease uuid))) IS TRUE \
         AND (d.state = 'sending') IS TRUE"
    };
}

/// PostgreSQL: `d` is one of the ids in `$1`.
macro_rules! among {
    () => {
        "d.id = ANY (ARRAY(SELECT jsonb_array_elements_text($1)::uuid))"
    };
}

/// These deliveries, in no order; those that are not there are left out.
pub async fn get(tx: &mut Tx<'_>, ids: &[Uuid]) -> Result<Vec<DeliveryRow>, Error> {
    let sql = sql! {
        sqlite: "SELECT d.* FROM json_each($1) AS r CROSS JOIN {deliveries} AS d WHERE d.id = unhex(r.value)",
        postgres: concat!("SELECT d.* FROM {deliveries} AS d WHERE ", among!()),
    };
    fetch_all!(tx, DeliveryRow, sql, Json(simple(ids)))
}

/// A letter on its way through the one JSON parameter of the statement that writes it.
#[derive(Serialize)]
pub(crate) struct Wire<'a> {
    #[serde(serialize_with = "uuid::serde::simple::serialize")]
    id: Uuid,
    #[serde(serialize_with = "uuid::serde::simple::serialize")]
    message_id: Uuid,
    template: &'a str,
    locale: Option<&'a str>,
    queue: &'a str,
    about: Option<&'a str>,
    recipient: Option<&'a str>,
    recipient_hash: Option<String>,
    expires_at: Option<i64>,
    digest: Option<String>,
    tried: i64,
}

impl<'a> Wire<'a> {
    pub(crate) fn of((new, foreign): &(NewDelivery<'a>, Option<&Foreign>)) -> Self {
        Self {
            id: new.id,
            message_id: new.message_id,
            template: new.template,
            locale: new.locale,
            queue: new.queue,
            about: new.about,
            recipient: new.recipient,
            recipient_hash: new.recipient_hash.map(hex),
            expires_at: new.expires_at.map(Timestamp::as_micros),
            digest: foreign.map(|foreign| hex(&foreign.digest)),
            tried: foreign.map_or(0, |foreign| foreign.tried),
        }
    }
}

/// Writes letters that wait, each with what it is known by if another program made it; the rows that went in.
pub async fn insert(
    tx: &mut Tx<'_>,
    new: &[(NewDelivery<'_>, Option<&Foreign>)],
) -> Result<Vec<DeliveryRow>, Error> {
    let now = tx.now();
    let rows: Vec<Wire<'_>> = new.iter().map(Wire::of).collect();
    let sql = sql! {
        sqlite: "INSERT INTO {deliveries} (id, message_id, template, locale, queue, about, recipient, \
             recipient_hash, state, expires_at, created_at, updated_at, body_digest, attempts) \
             SELECT unhex(r.value ->> 'id'), unhex(r.value ->> 'message_id'), r.value ->> 'template', \
             r.value ->> 'locale', r.value ->> 'queue', r.value ->> 'about', r.value ->> 'recipient', \
             unhex(r.value ->> 'recipient_hash'), 'waiting', r.value ->> 'expires_at', $2, $3, \
             unhex(r.value ->> 'digest'), r.value ->> 'tried' \
             FROM json_each($1) AS r WHERE true ON CONFLICT DO NOTHING RETURNING *",
        postgres: "INSERT INTO {deliveries} (id, message_id, template, locale, queue, about, recipient, \
             recipient_hash, state, expires_at, created_at, updated_at, body_digest, attempts) \
             SELECT r.id, r.message_id, r.template, r.locale, r.queue, r.about, r.recipient, \
             decode(r.recipient_hash, 'hex'), 'waiting', \
             'epoch'::timestamptz + r.expires_at * interval '1 microsecond', $2, $3, \
             decode(r.digest, 'hex'), r.tried \
             FROM jsonb_to_recordset($1) AS r(id uuid, message_id uuid, template text, locale text, queue text, \
             about text, recipient text, recipient_hash text, expires_at bigint, digest text, tried bigint) \
             ON CONFLICT DO NOTHING RETURNING *",
    };
    let inserted: Vec<DeliveryRow> = fetch_all!(tx, DeliveryRow, sql, Json(&rows), now, now)?;
    tx.count_rows(inserted.len() as u64);
    Ok(inserted)
}

/// Notes starts, all under one lease token; the ids that won. Letters whose template is
/// [paused](crate::mail_pauses) do not.
pub async fn start(tx: &mut Tx<'_>, ids: &[Uuid], lease: Uuid, until: Timestamp) -> Result<Vec<Uuid>, Error> {
    let now = tx.now();
    let sql = sql! {
        sqlite: "UPDATE {deliveries} AS d SET
                 starts = starts + 1, dead = 0,
                 twins = CASE WHEN state IN ('failed', 'unknown') THEN twins + open_dots ELSE twins END,
                 attempts = CASE WHEN state IN ('failed', 'unknown') THEN 0 ELSE attempts END,
                 open_dots = CASE WHEN state IN ('failed', 'unknown') THEN 0 ELSE open_dots END,
                 open_starts = CASE WHEN state IN ('failed', 'unknown') THEN 1 ELSE open_starts + 1 END,
                 state = 'sending', lease = $2, lease_until = $3, next_attempt_at = NULL, updated_at = $4
             FROM json_each($1) AS r
             WHERE d.id = unhex(r.value)
               AND (+state IN ('waiting', 'deferred', 'failed', 'unknown')
                    OR (+state = 'sending' AND lease_until <= $5))
               AND NOT EXISTS (SELECT 1 FROM {mail_pauses} AS p WHERE p.template = '' OR p.template = d.template)
             RETURNING id",
        postgres: concat!("UPDATE {deliveries} AS d SET
                 starts = starts + 1, dead = 0,
                 twins = CASE WHEN state IN ('failed', 'unknown') THEN twins + open_dots ELSE twins END,
                 attempts = CASE WHEN state IN ('failed', 'unknown') THEN 0 ELSE attempts END,
                 open_dots = CASE WHEN state IN ('failed', 'unknown') THEN 0 ELSE open_dots END,
                 open_starts = CASE WHEN state IN ('failed', 'unknown') THEN 1 ELSE open_starts + 1 END,
                 state = 'sending', lease = $2, lease_until = $3, next_attempt_at = NULL, updated_at = $4
             WHERE ", among!(), "
               AND (state IN ('waiting', 'deferred', 'failed', 'unknown')
                    OR (state = 'sending' AND lease_until <= $5)) IS TRUE
               AND NOT EXISTS (SELECT 1 FROM {mail_pauses} AS p WHERE p.template = '' OR p.template = d.template)
             RETURNING d.id"),
    };
    let rows: Vec<(Uuid,)> = fetch_all!(tx, (Uuid,), sql, Json(simple(ids)), lease, until, now, now)?;
    tx.count_rows(rows.len() as u64);
    Ok(rows.into_iter().map(|(id,)| id).collect())
}

/// Notes that somebody else sends letters that were just taken.
pub async fn set_handed_over(tx: &mut Tx<'_>, ids: &[Uuid]) -> Result<(), Error> {
    let sql = sql! {
        sqlite: "UPDATE {deliveries} SET state = 'handed_over', sent_at = NULL FROM json_each($1) AS r \
             WHERE {deliveries}.id = unhex(r.value) AND +state = 'sent'",
        postgres: concat!(
            "UPDATE {deliveries} AS d SET state = 'handed_over', sent_at = NULL WHERE ",
            among!(),
            " AND (d.state = 'sent') IS TRUE"
        ),
    };
    execute!(tx, sql, Json(simple(ids)))?;
    Ok(())
}

/// Notes final dots and renews the leases to `until`; the ids whose lease was held and had time left.
pub async fn note_dot(tx: &mut Tx<'_>, held: &[Held], until: Timestamp) -> Result<Vec<Uuid>, Error> {
    let now = tx.now();
    // No column that an index knows is touched: PostgreSQL then writes no index.
    let sql = sql! {
        sqlite: "UPDATE {deliveries} SET open_dots = open_dots + 1, dots = dots + 1, lease_until = $2
             FROM json_each($1) AS r
             WHERE {deliveries}.id = unhex(r.value ->> 'id') AND lease = unhex(r.value ->> 'lease')
               AND +state = 'sending' AND lease_until > $3 RETURNING id",
        postgres: concat!(
            "UPDATE {deliveries} AS d SET open_dots = d.open_dots + 1, dots = d.dots + 1, lease_until = $2 WHERE ",
            held!(),
            " AND d.lease_until > $3 RETURNING d.id"
        ),
    };
    let rows: Vec<(Uuid,)> = fetch_all!(tx, (Uuid,), sql, Json(held), until, now)?;
    tx.count_rows(rows.len() as u64);
    Ok(rows.into_iter().map(|(id,)| id).collect())
}

/// Renews leases to `until`; the ids whose lease was still held.
pub async fn extend(tx: &mut Tx<'_>, held: &[Held], until: Timestamp) -> Result<Vec<Uuid>, Error> {
    let sql = sql! {
        sqlite: "UPDATE {deliveries} SET lease_until = $2 FROM json_each($1) AS r
             WHERE {deliveries}.id = unhex(r.value ->> 'id') AND lease = unhex(r.value ->> 'lease')
               AND +state = 'sending' RETURNING id",
        postgres: concat!(
            "UPDATE {deliveries} AS d SET lease_until = $2 WHERE ",
            held!(),
            " RETURNING d.id"
        ),
    };
    let rows: Vec<(Uuid,)> = fetch_all!(tx, (Uuid,), sql, Json(held), until)?;
    tx.count_rows(rows.len() as u64);
    Ok(rows.into_iter().map(|(id,)| id).collect())
}

/// A letter that the mail server took.
#[derive(Debug, Clone, Serialize)]
pub struct Sent {
    /// Which.
    #[serde(serialize_with = "uuid::serde::simple::serialize")]
    pub id: Uuid,
    /// What the server said, masked.
    pub reply: String,
}

/// Notes that the mail server took letters; those that were not noted before, with or without the lease.
pub async fn set_sent(tx: &mut Tx<'_>, sent: &[Sent]) -> Result<Vec<Uuid>, Error> {
    let now = tx.now();
    let sql = sql! {
        sqlite: "UPDATE {deliveries} SET state = 'sent', sent_at = $2, reply = r.value ->> 'reply', lease = NULL,
                 lease_until = NULL, next_attempt_at = NULL, open_starts = 0, faults = 0, updated_at = $3, open_dots = 0,
                 twins = CASE WHEN open_dots > 1 THEN twins + open_dots - 1 ELSE twins END
             FROM json_each($1) AS r
             WHERE {deliveries}.id = unhex(r.value ->> 'id') AND state <> 'sent' RETURNING id",
        postgres: "UPDATE {deliveries} AS d SET state = 'sent', sent_at = $2, reply = r.reply, lease = NULL,
                 lease_until = NULL, next_attempt_at = NULL, open_starts = 0, faults = 0, updated_at = $3, open_dots = 0,
                 twins = CASE WHEN open_dots > 1 THEN twins + open_dots - 1 ELSE twins END
             FROM jsonb_to_recordset($1) AS r(id uuid, reply text)
             WHERE d.id = r.id AND d.state <> 'sent'
               AND d.id = ANY (ARRAY(SELECT w.id FROM jsonb_to_recordset($1) AS w(id uuid))) RETURNING d.id",
    };
    let rows: Vec<(Uuid,)> = fetch_all!(tx, (Uuid,), sql, Json(sent), now, now)?;
    tx.count_rows(rows.len() as u64);
    Ok(rows.into_iter().map(|(id,)| id).collect())
}

/// How the start of one of many letters ended that was not taken; see
/// [`Settled`](crate::deliveries::Settled).
#[derive(Debug, Clone, Serialize)]
pub struct Ended {
    /// Which, and under which lease.
    #[serde(flatten)]
    pub held: Held,
    /// The state from now on.
    pub state: &'static str,
    /// 1 if it uses up an attempt.
    pub counts: i64,
    /// 1 if the mail server itself was at fault.
    pub fault: i64,
    /// 1 if the final dot of this start was noted and then answered.
    pub dot_answered: i64,
    /// When it is tried again.
    #[serde(serialize_with = "micros_or_none")]
    pub next_attempt_at: Option<Timestamp>,
    /// What the mail server said, masked.
    pub reply: String,
}

/// Notes how starts ended that were not taken; the ids whose lease was still held.
pub async fn settle(tx: &mut Tx<'_>, ended: &[Ended]) -> Result<Vec<Uuid>, Error> {
    let now = tx.now();
    let sql = sql! {
        sqlite: "UPDATE {deliveries} SET state = r.value ->> 'state', attempts = attempts + (r.value ->> 'counts'),
                 faults = CASE WHEN r.value ->> 'fault' = 1 THEN faults + 1 ELSE 0 END,
                 open_starts = 0, open_dots = open_dots - (r.value ->> 'dot_answered'),
                 next_attempt_at = r.value ->> 'next_attempt_at', reply = r.value ->> 'reply',
                 lease = NULL, lease_until = NULL, updated_at = $2
             FROM json_each($1) AS r
             WHERE {deliveries}.id = unhex(r.value ->> 'id') AND lease = unhex(r.value ->> 'lease')
               AND +state = 'sending' RETURNING id",
        postgres: "UPDATE {deliveries} AS d SET state = r.state, attempts = d.attempts + r.counts,
                 faults = CASE WHEN r.fault = 1 THEN d.faults + 1 ELSE 0 END,
                 open_starts = 0, open_dots = d.open_dots - r.dot_answered,
                 next_attempt_at = 'epoch'::timestamptz + r.next_attempt_at * interval '1 microsecond',
                 reply = r.reply, lease = NULL, lease_until = NULL, updated_at = $2
             FROM jsonb_to_recordset($1) AS r(id uuid, lease uuid, state text, counts bigint, fault bigint,
                 dot_answered bigint, next_attempt_at bigint, reply text)
             WHERE d.id = r.id AND d.lease = r.lease AND (d.state = 'sending') IS TRUE
               AND d.id = ANY (ARRAY(SELECT w.id FROM jsonb_to_recordset($1) AS w(id uuid))) RETURNING d.id",
    };
    let rows: Vec<(Uuid,)> = fetch_all!(tx, (Uuid,), sql, Json(ended), now)?;
    tx.count_rows(rows.len() as u64);
    Ok(rows.into_iter().map(|(id,)| id).collect())
}

fn simple(ids: &[Uuid]) -> Vec<String> {
    ids.iter().map(|id| id.simple().to_string()).collect()
}
