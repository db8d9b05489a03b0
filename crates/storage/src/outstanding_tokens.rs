//! `outstanding_tokens`: every refresh, sliding and one-time token that simplejwt's dialect made, by
//! either program.
//!
//! Django's own `token_blacklist_outstandingtoken`, where that was [found](crate::django_tables), or ours in the same
//! shape. It holds whole tokens,
//! as there: whoever reads it can use them.

use crate::{Error, Timestamp, Tx};

/// A row to be.
#[derive(Clone)]
pub struct NewOutstanding {
    /// Whose it is, as the token says it. A user that is not there is left out, as Django does.
    pub user: Option<String>,
    /// Its identity.
    pub jti: String,
    /// The token itself.
    pub token: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it expires.
    pub expires_at: Timestamp,
}

/// Tokens stay out of logs.
impl std::fmt::Debug for NewOutstanding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NewOutstanding")
            .field("jti", &self.jti)
            .finish_non_exhaustive()
    }
}

/// A living token that is not blacklisted.
#[derive(Clone, sqlx::FromRow)]
pub struct LivingRow {
    /// Its identity.
    pub jti: String,
    /// The token itself.
    pub token: String,
}

impl std::fmt::Debug for LivingRow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LivingRow")
            .field("jti", &self.jti)
            .finish_non_exhaustive()
    }
}

/// Makes sure that the token is known; whether this call wrote it.
pub async fn insert(tx: &mut Tx<'_>, new: &NewOutstanding) -> Result<bool, Error> {
    let user = new.user.as_deref().filter(|user| tx.is_user_key(user));
    let user = user.map(str::to_owned);
    let rows = execute!(
        tx,
        "INSERT INTO {outstanding_tokens} (user_id, jti, token, created_at, expires_at)
         VALUES ({outstanding_user}, $2, $3, $4, $5) ON CONFLICT DO NOTHING",
        user.as_deref(),
        &new.jti,
        &new.token,
        new.created_at,
        new.expires_at
    )?;
    Ok(rows == 1)
}

/// What a user holds that is alive and not blacklisted.
pub async fn living(tx: &mut Tx<'_>, user: &str) -> Result<Vec<LivingRow>, Error> {
    if !tx.is_user_key(user) {
        return Ok(Vec::new());
    }
    let now = tx.now();
    fetch_all!(
        tx,
        LivingRow,
        "SELECT o.jti, o.token FROM {outstanding_tokens} AS o
         WHERE o.user_id = {outstanding_key} AND o.expires_at > $2 AND NOT EXISTS
         (SELECT 1 FROM {blacklisted_tokens} AS b WHERE b.token_id = o.id)",
        user,
        now
    )
}

/// Forgets up to `limit` tokens that have expired, of our own tables only: Django's are swept by its
/// `flushexpiredtokens`. How many.
pub async fn sweep(tx: &mut Tx<'_>, limit: i64) -> Result<u64, Error> {
    if tx.shares_django_tables() {
        return Ok(0);
    }
    let now = tx.now();
    execute!(
        tx,
        "DELETE FROM {blacklisted_tokens} WHERE token_id IN
         (SELECT id FROM {outstanding_tokens} WHERE expires_at <= $1 ORDER BY expires_at, id LIMIT $2)",
        now,
        limit
    )?;
    execute!(
        tx,
        "DELETE FROM {outstanding_tokens} WHERE id IN
         (SELECT id FROM {outstanding_tokens} WHERE expires_at <= $1 ORDER BY expires_at, id LIMIT $2)",
        now,
        limit
    )
}
