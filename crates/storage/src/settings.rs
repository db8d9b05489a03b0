//! `settings`: what an installation knows about itself, by name. No secret stands here.

use crate::{Error, Tx};

/// Writes `value` under `key` unless something stands there; whether it was written.
pub async fn put_if_absent(tx: &mut Tx<'_>, key: &str, value: &str) -> Result<bool, Error> {
    let now = tx.now();
    let rows = execute!(
        tx,
        "INSERT INTO {settings} (key, value, updated_at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
        key,
        value,
        now
    )?;
    Ok(rows == 1)
}

/// Writes `value` under `key`, whatever stood there.
pub async fn put(tx: &mut Tx<'_>, key: &str, value: &str) -> Result<(), Error> {
    let now = tx.now();
    execute!(
        tx,
        "INSERT INTO {settings} (key, value, updated_at) VALUES ($1, $2, $3)
         ON CONFLICT (key) DO UPDATE SET value = excluded.value, updated_at = excluded.updated_at",
        key,
        value,
        now
    )?;
    Ok(())
}

/// What stands under `key`.
pub async fn get(tx: &mut Tx<'_>, key: &str) -> Result<Option<String>, Error> {
    let row: Option<(String,)> =
        fetch_optional!(tx, (String,), "SELECT value FROM {settings} WHERE key = $1", key)?;
    Ok(row.map(|(value,)| value))
}
