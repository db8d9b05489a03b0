//! `verify_answers`: what verifying a token answered under an idempotency key, so that whoever lost the
//! answer can ask again for a while.
//!
//! The key is claimed first, in the transaction that uses the token up. A twin that runs beside it waits for
//! that claim, and then reads the answer instead of finding its token used.

use std::time::Duration;

use uuid::Uuid;

use crate::{Error, Tx};

/// How long the same key gets the same answer: 10 min.
pub const KEPT_FOR: Duration = Duration::from_secs(600);

/// What a key stands for already.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Claim {
    /// Nothing until now: the caller does the work and [keeps](keep) its answer in the same transaction.
    New,
    /// The same request was answered with this.
    Answered(String),
    /// Another request was answered under this key.
    Other,
}

#[derive(sqlx::FromRow)]
struct Row {
    digest: Vec<u8>,
    answer: Option<String>,
}

/// Claims `idempotency_key` of `api_key_id` for the request with this digest.
pub async fn claim(
    tx: &mut Tx<'_>,
    api_key_id: Uuid,
    idempotency_key: &str,
    digest: &[u8; 32],
) -> Result<Claim, Error> {
    let now = tx.now();
    let won = execute!(
        tx,
        "INSERT INTO {verify_answers} AS kept (api_key_id, idempotency_key, digest, answer, expires_at)
         VALUES ($1, $2, $3, NULL, $4)
         ON CONFLICT (api_key_id, idempotency_key)
         DO UPDATE SET digest = excluded.digest, answer = NULL, expires_at = excluded.expires_at
         WHERE kept.expires_at <= $5",
        api_key_id,
        idempotency_key,
        digest.as_slice(),
        now + KEPT_FOR,
        now
    )?;
    if won == 1 {
        return Ok(Claim::New);
    }
    let row = fetch_optional!(
        tx,
        Row,
        "SELECT digest, answer FROM {verify_answers} WHERE api_key_id = $1 AND idempotency_key = $2",
        api_key_id,
        idempotency_key
    )?;
    Ok(match row {
        Some(Row {
            digest: kept,
            answer: Some(answer),
        }) if kept == digest => Claim::Answered(answer),
        // Without an answer: claimed earlier in this very transaction, which is the same request's doing.
        Some(Row {
            digest: kept,
            answer: None,
        }) if kept == digest => Claim::New,
        _ => Claim::Other,
    })
}

/// Keeps the answer of a claimed key; whether the claim still stood without one.
pub async fn keep(
    tx: &mut Tx<'_>,
    api_key_id: Uuid,
    idempotency_key: &str,
    answer: &str,
) -> Result<bool, Error> {
    let rows = execute!(
        tx,
        "UPDATE {verify_answers} SET answer = $1
         WHERE api_key_id = $2 AND idempotency_key = $3 AND answer IS NULL",
        answer,
        api_key_id,
        idempotency_key
    )?;
    Ok(rows == 1)
}

/// Deletes up to `limit` answers that nobody may ask for any more; how many.
pub async fn sweep(tx: &mut Tx<'_>, limit: i64) -> Result<u64, Error> {
    let now = tx.now();
    execute!(
        tx,
        "DELETE FROM {verify_answers} WHERE (api_key_id, idempotency_key) IN
         (SELECT api_key_id, idempotency_key FROM {verify_answers} WHERE expires_at <= $1
          ORDER BY expires_at LIMIT $2)",
        now,
        limit
    )
}
