//! `blacklisted_tokens`: which of the outstanding tokens are dead. Django's own `token_blacklist_blacklistedtoken`, or ours.
//!
//! Django looks and then writes; here the row itself decides. Both programs' rows count for both.

use crate::outstanding_tokens::{self, NewOutstanding};
use crate::{Error, Tx};

/// Blacklists the token; whether this call was the one that did. The outstanding row is made if it is missing.
///
/// Of any number of callers, on any number of instances, one wins: its row went in. (`token_id` is unique, and a
/// second insert waits for the first one's commit.)
pub async fn insert(tx: &mut Tx<'_>, token: &NewOutstanding) -> Result<bool, Error> {
    outstanding_tokens::insert(tx, token).await?;
    let now = tx.now();
    let won: Option<(i64,)> = fetch_optional!(
        tx,
        (i64,),
        "INSERT INTO {blacklisted_tokens} (blacklisted_at, token_id)
         SELECT $2, o.id FROM {outstanding_tokens} AS o WHERE o.jti = $1
         ON CONFLICT DO NOTHING RETURNING CAST(id AS bigint)",
        &token.jti,
        now
    )?;
    tx.count_rows(u64::from(won.is_some()));
    Ok(won.is_some())
}

/// Whether the token is blacklisted, by whichever program.
pub async fn contains(tx: &mut Tx<'_>, jti: &str) -> Result<bool, Error> {
    let found: Option<(i32,)> = fetch_optional!(
        tx,
        (i32,),
        "SELECT 1 FROM {outstanding_tokens} AS o
         JOIN {blacklisted_tokens} AS b ON b.token_id = o.id WHERE o.jti = $1",
        jti
    )?;
    Ok(found.is_some())
}
