//! `deliveries`: the ledger of letters, one row for each recipient. It, and not the queue, says what
//! was sent and how often a start was made.
//!
//! A row whose state is `sending` is locked by its lease; every change of it names the lease and says
//! whether it won.

use uuid::Uuid;

use crate::{Error, Timestamp, Tx};

/// A row of `deliveries`.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct DeliveryRow {
    /// The delivery; also the id of its message on the queue.
    pub id: Uuid,
    /// The mail it is a copy of; the same for all its recipients, and in `Message-ID`.
    pub message_id: Uuid,
    /// The letter's template.
    pub template: String,
    /// The language it was asked for in.
    pub locale: Option<String>,
    /// The queue it waits on.
    pub queue: String,
    /// Whom an account letter is about: `user:ID` or `registration:ID`.
    pub about: Option<String>,
    /// The address, masked; none until an account letter's is known.
    pub recipient: Option<String>,
    /// A keyed hash of the address, to look it up by.
    pub recipient_hash: Option<Vec<u8>>,
    /// One of the contract's states.
    pub state: String,
    /// How often the letter was tried and put off.
    pub attempts: i64,
    /// How often the mail server itself was at fault since it last was not.
    pub faults: i64,
    /// Starts since the last one whose outcome was noted.
    pub open_starts: i64,
    /// Starts that passed the final dot with no answer noted.
    pub open_dots: i64,
    /// Who is sending it.
    pub lease: Option<Uuid>,
    /// Until when nobody else may.
    pub lease_until: Option<Timestamp>,
    /// When it is tried again.
    pub next_attempt_at: Option<Timestamp>,
    /// When it is no longer worth sending.
    pub expires_at: Option<Timestamp>,
    /// What the mail server said last, or why it ended.
    pub reply: Option<String>,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// When anything about it changed.
    pub updated_at: Timestamp,
    /// When the mail server took it.
    pub sent_at: Option<Timestamp>,
    /// Starts in all.
    pub starts: i64,
    /// Starts in all that noted the final dot.
    pub dots: i64,
    /// Copies that may exist besides the one that `sent` stands for, or from before it began anew.
    pub twins: i64,
    /// 1 if its message went to the dead letters when it ended.
    pub dead: i64,
    /// The delivery that repeats it.
    pub resent_as: Option<Uuid>,
    /// When it came back after it was sent.
    pub bounced_at: Option<Timestamp>,
}

/// A letter that is asked for.
#[derive(Debug, Clone)]
pub struct NewDelivery<'a> {
    /// See [`DeliveryRow::id`].
    pub id: Uuid,
    /// See [`DeliveryRow::message_id`].
    pub message_id: Uuid,
    /// See [`DeliveryRow::template`].
    pub template: &'a str,
    /// See [`DeliveryRow::locale`].
    pub locale: Option<&'a str>,
    /// See [`DeliveryRow::queue`].
    pub queue: &'a str,
    /// See [`DeliveryRow::about`].
    pub about: Option<&'a str>,
    /// See [`DeliveryRow::recipient`].
    pub recipient: Option<&'a str>,
    /// See [`DeliveryRow::recipient_hash`].
    pub recipient_hash: Option<&'a [u8]>,
    /// See [`DeliveryRow::expires_at`].
    pub expires_at: Option<Timestamp>,
}

/// How a start ended.
#[derive(Debug, Clone)]
pub struct Settled<'a> {
    /// The state from now on.
    pub state: &'a str,
    /// Whether it uses up an attempt.
    pub counts: bool,
    /// Whether the mail server itself was at fault.
    pub fault: bool,
    /// Whether the final dot of this start was noted and then answered.
    pub dot_answered: bool,
    /// When it is tried again.
    pub next_attempt_at: Option<Timestamp>,
    /// What the mail server said, masked.
    pub reply: Option<&'a str>,
}

/// Which deliveries to list. What is `None` does not narrow.
#[derive(Debug, Clone, Default)]
pub struct DeliveryFilter {
    /// In this state.
    pub state: Option<String>,
    /// Of this template.
    pub template: Option<String>,
    /// To an address of one of these hashes; empty for any.
    pub recipient_hashes: Vec<Vec<u8>>,
    /// Older than this one.
    pub after: Option<Uuid>,
}

/// Writes a letter that waits; false if there is one of that id.
pub async fn insert(tx: &mut Tx<'_>, new: &NewDelivery<'_>) -> Result<bool, Error> {
    let now = tx.now();
    let rows = execute!(
        tx,
        "INSERT INTO {deliveries} (id, message_id, template, locale, queue, about, recipient, recipient_hash,
             state, expires_at, created_at, updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 'waiting', $9, $10, $11) ON CONFLICT DO NOTHING",
        new.id,
        new.message_id,
        new.template,
        new.locale,
        new.queue,
        new.about,
        new.recipient,
        new.recipient_hash,
        new.expires_at,
        now,
        now
    )?;
    Ok(rows == 1)
}

/// One delivery.
pub async fn get(tx: &mut Tx<'_>, id: Uuid) -> Result<Option<DeliveryRow>, Error> {
    fetch_optional!(tx, DeliveryRow, "SELECT * FROM {deliveries} WHERE id = $1", id)
}

/// All recipients' deliveries of a mail, first one first.
pub async fn of_message(tx: &mut Tx<'_>, message_id: Uuid) -> Result<Vec<DeliveryRow>, Error> {
    fetch_all!(
        tx,
        DeliveryRow,
        "SELECT * FROM {deliveries} WHERE message_id = $1 ORDER BY id",
        message_id
    )
}

/// Whether the same account letter about the same one was asked for again later.
pub async fn has_newer(tx: &mut Tx<'_>, row: &DeliveryRow) -> Result<bool, Error> {
    let (newer,): (i64,) = fetch_one!(
        tx,
        (i64,),
        "SELECT count(*) FROM {deliveries} WHERE about = $1 AND template = $2 AND id > $3
            AND state IN ('waiting', 'sending', 'deferred', 'sent', 'handed_over')",
        row.about.as_deref(),
        &row.template,
        row.id
    )?;
    Ok(newer > 0)
}

/// Notes that a start is made and takes the lease. Wins if the letter waits, or if whoever was sending
/// it let the lease run out, and if nobody [paused](crate::mail_pauses) its template. A letter that had ended
/// as `failed` or `unknown` begins anew.
pub async fn start(tx: &mut Tx<'_>, id: Uuid, lease: Uuid, until: Timestamp) -> Result<bool, Error> {
    let now = tx.now();
    let rows = execute!(
        tx,
        "UPDATE {deliveries} AS d SET
             starts = starts + 1, dead = 0,
             twins = CASE WHEN state IN ('failed', 'unknown') THEN twins + open_dots ELSE twins END,
             attempts = CASE WHEN state IN ('failed', 'unknown') THEN 0 ELSE attempts END,
             open_dots = CASE WHEN state IN ('failed', 'unknown') THEN 0 ELSE open_dots END,
             open_starts = CASE WHEN state IN ('failed', 'unknown') THEN 1 ELSE open_starts + 1 END,
             state = 'sending', lease = $2, lease_until = $3, next_attempt_at = NULL, updated_at = $4
         WHERE id = $1 AND (state IN ('waiting', 'deferred', 'failed', 'unknown')
                            OR (state = 'sending' AND lease_until <= $5))
           AND NOT EXISTS (SELECT 1 FROM {mail_pauses} AS p WHERE p.template = '' OR p.template = d.template)",
        id,
        lease,
        until,
        now,
        now
    )?;
    Ok(rows == 1)
}

/// Notes whom the letter goes to, once that is known.
pub async fn set_recipient(tx: &mut Tx<'_>, id: Uuid, masked: &str, hash: &[u8]) -> Result<(), Error> {
    execute!(
        tx,
        "UPDATE {deliveries} SET recipient = $2, recipient_hash = $3 WHERE id = $1",
        id,
        masked,
        hash
    )?;
    Ok(())
}

/// Notes that the final dot is about to be sent, and renews the lease; false if the lease was lost, or
/// has run out so that somebody else may be about to take it.
pub async fn note_dot(tx: &mut Tx<'_>, id: Uuid, lease: Uuid, until: Timestamp) -> Result<bool, Error> {
    let now = tx.now();
    let rows = execute!(
        tx,
        "UPDATE {deliveries} SET open_dots = open_dots + 1, dots = dots + 1, lease_until = $3, updated_at = $4
         WHERE id = $1 AND lease = $2 AND state = 'sending' AND lease_until > $5",
        id,
        lease,
        until,
        now,
        now
    )?;
    Ok(rows == 1)
}

/// Notes that the mail server took it. Only the first to say so wins, with or without the lease: what
/// was taken was taken.
pub async fn set_sent(tx: &mut Tx<'_>, id: Uuid, reply: &str) -> Result<bool, Error> {
    let now = tx.now();
    let rows = execute!(
        tx,
        "UPDATE {deliveries} SET state = 'sent', sent_at = $3, reply = $2, lease = NULL, lease_until = NULL,
             next_attempt_at = NULL, open_starts = 0, faults = 0, updated_at = $4,
             twins = CASE WHEN open_dots > 1 THEN twins + open_dots - 1 ELSE twins END, open_dots = 0
         WHERE id = $1 AND state <> 'sent'",
        id,
        reply,
        now,
        now
    )?;
    Ok(rows == 1)
}

/// Notes how a start ended that was not taken; false if the lease was lost.
pub async fn settle(tx: &mut Tx<'_>, id: Uuid, lease: Uuid, settled: &Settled<'_>) -> Result<bool, Error> {
    let now = tx.now();
    let rows = execute!(
        tx,
        "UPDATE {deliveries} SET state = $3, attempts = attempts + $4,
             faults = CASE WHEN $5 = 1 THEN faults + 1 ELSE 0 END,
             open_starts = 0, open_dots = open_dots - $6, next_attempt_at = $7, reply = $8,
             lease = NULL, lease_until = NULL, updated_at = $9
         WHERE id = $1 AND lease = $2 AND state = 'sending'",
        id,
        lease,
        settled.state,
        i64::from(settled.counts),
        i64::from(settled.fault),
        i64::from(settled.dot_answered),
        settled.next_attempt_at,
        settled.reply,
        now
    )?;
    Ok(rows == 1)
}

/// Ends a letter that nobody is sending; false if somebody is, or if it has ended.
pub async fn end(tx: &mut Tx<'_>, id: Uuid, state: &str, reason: &str) -> Result<bool, Error> {
    let now = tx.now();
    let rows = execute!(
        tx,
        "UPDATE {deliveries} SET state = $2, reply = $3, lease = NULL, lease_until = NULL, next_attempt_at = NULL,
             open_starts = 0, updated_at = $4
         WHERE id = $1 AND (state IN ('waiting', 'deferred') OR (state = 'sending' AND lease_until <= $5))",
        id,
        state,
        reason,
        now,
        now
    )?;
    Ok(rows == 1)
}

/// Ends a letter whose message the queue gave up on, whoever was sending it; false if it has ended.
pub async fn end_any(tx: &mut Tx<'_>, id: Uuid, state: &str, reason: &str) -> Result<bool, Error> {
    let now = tx.now();
    let rows = execute!(
        tx,
        "UPDATE {deliveries} SET state = $2, reply = $3, lease = NULL, lease_until = NULL, next_attempt_at = NULL,
             open_starts = 0, updated_at = $4
         WHERE id = $1 AND state IN ('waiting', 'deferred', 'sending')",
        id,
        state,
        reason,
        now
    )?;
    Ok(rows == 1)
}

/// Newest first.
pub async fn list(tx: &mut Tx<'_>, filter: &DeliveryFilter, limit: i64) -> Result<Vec<DeliveryRow>, Error> {
    // A program has its secret and few before it: three hashes of an address look it up in all of them.
    let hash = |n: usize| {
        filter
            .recipient_hashes
            .get(n)
            .or(filter.recipient_hashes.first())
            .map(Vec::as_slice)
    };
    let (any_state, any_template) = (filter.state.is_none(), filter.template.is_none());
    let any_recipient = filter.recipient_hashes.is_empty();
    fetch_all!(
        tx,
        DeliveryRow,
        "SELECT * FROM {deliveries}
         WHERE ($1 = 1 OR state = $2) AND ($3 = 1 OR template = $4)
           AND ($5 = 1 OR recipient_hash IN ($6, $7, $8)) AND ($9 = 1 OR id < $10)
         ORDER BY id DESC LIMIT $11",
        i64::from(any_state),
        filter.state.as_deref().unwrap_or_default(),
        i64::from(any_template),
        filter.template.as_deref().unwrap_or_default(),
        i64::from(any_recipient),
        hash(0).unwrap_or_default(),
        hash(1).unwrap_or_default(),
        hash(2).unwrap_or_default(),
        i64::from(filter.after.is_none()),
        filter.after.unwrap_or_default(),
        limit
    )
}

/// How many letters are in each state.
pub async fn count_by_state(tx: &mut Tx<'_>) -> Result<Vec<(String, i64)>, Error> {
    fetch_all!(
        tx,
        (String, i64),
        "SELECT state, count(*) FROM {deliveries} GROUP BY state ORDER BY state"
    )
}

/// Deletes at most `limit` letters that ended before `before`, their timelines with them; how many.
pub async fn sweep(tx: &mut Tx<'_>, before: Timestamp, limit: i64) -> Result<u64, Error> {
    let gone: Vec<(Uuid,)> = fetch_all!(
        tx,
        (Uuid,),
        "DELETE FROM {deliveries} WHERE id IN (
             SELECT id FROM {deliveries} WHERE updated_at < $1 AND state NOT IN ('waiting', 'sending', 'deferred')
             ORDER BY updated_at LIMIT $2) RETURNING id",
        before,
        limit
    )?;
    let gone: Vec<Uuid> = gone.into_iter().map(|(id,)| id).collect();
    tx.count_rows(gone.len() as u64);
    crate::delivery_events::delete(tx, &gone).await?;
    Ok(gone.len() as u64)
}
