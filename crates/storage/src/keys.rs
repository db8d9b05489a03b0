//! `keys`: which secrets this installation has signed with, by fingerprint. No secret stands here.

use crate::{Error, Tx};

/// The fingerprint of the secret that signs, if one ever did.
pub async fn current(tx: &mut Tx<'_>) -> Result<Option<String>, Error> {
    let row: Option<(String,)> = fetch_optional!(
        tx,
        (String,),
        "SELECT fingerprint FROM {keys} WHERE state = 'current'"
    )?;
    Ok(row.map(|(fingerprint,)| fingerprint))
}

/// Makes this the secret that signs, in the place of `instead_of`; whether that is what stood there.
pub async fn replace(tx: &mut Tx<'_>, fingerprint: &str, instead_of: Option<&str>) -> Result<bool, Error> {
    let now = tx.now();
    if let Some(old) = instead_of {
        let rows = execute!(
            tx,
            "UPDATE {keys} SET state = 'previous' WHERE fingerprint = $1 AND state = 'current'",
            old
        )?;
        if rows == 0 {
            return Ok(false);
        }
    }
    let rows = execute!(
        tx,
        "INSERT INTO {keys} (fingerprint, state, since) SELECT $1, 'current', $2
         WHERE NOT EXISTS (SELECT 1 FROM {keys} WHERE state = 'current')
         ON CONFLICT (fingerprint) DO UPDATE SET state = 'current', since = excluded.since",
        fingerprint,
        now
    )?;
    Ok(rows == 1)
}
