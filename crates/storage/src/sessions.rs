//! `sessions`: one row is one session is one family of refresh tokens.
//!
//! The row knows the current refresh token by what it was made of, so that the same bytes can be made again, and
//! the previous one by its `jti`. Neither token stands here.

use uuid::Uuid;

use crate::{Error, Timestamp, Tx};

/// One session.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct SessionRow {
    /// Its id, the claim `sid`.
    pub id: Uuid,
    /// Whose it is.
    pub subject: String,
    /// The generation its tokens carry.
    pub generation: i64,
    /// How often it was rotated: the claim `rot` of the current tokens.
    pub rotation: i64,
    /// The current refresh token.
    pub jti: String,
    /// The one before it, if it may ask again.
    pub previous_jti: Option<String>,
    /// The access token that was given with the current refresh token.
    pub access_jti: String,
    /// The fingerprint of the secret that signed them.
    pub secret: String,
    /// When they were made, to the second.
    pub issued_at: Timestamp,
    /// When the refresh token expires, to the second.
    pub expires_at: Timestamp,
    /// When the session ends at the latest.
    pub absolute_at: Timestamp,
    /// When it was last rotated.
    pub rotated_at: Timestamp,
    /// When one of the current tokens was first presented.
    pub seen_at: Option<Timestamp>,
    /// When it began.
    pub created_at: Timestamp,
    /// What the client called itself.
    pub user_agent: Option<String>,
    /// Where it came from, as exactly as whoever began it wanted it kept.
    pub ip: Option<String>,
    /// When it was ended, if it was.
    pub ended_at: Option<Timestamp>,
}

/// What a rotation puts in the place of the old token.
#[derive(Debug, Clone)]
pub struct Rotation {
    /// The new refresh token.
    pub jti: String,
    /// The new access token.
    pub access_jti: String,
    /// The fingerprint of the secret that signs them.
    pub secret: String,
    /// When they are made.
    pub issued_at: Timestamp,
    /// When the refresh token expires.
    pub expires_at: Timestamp,
}

/// Begins a session.
pub async fn insert(tx: &mut Tx<'_>, row: &SessionRow) -> Result<(), Error> {
    execute!(
        tx,
        "INSERT INTO {sessions} (id, subject, generation, rotation, jti, access_jti, secret, issued_at, expires_at,
         absolute_at, rotated_at, created_at, user_agent, ip)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)",
        row.id,
        &row.subject,
        row.generation,
        row.rotation,
        &row.jti,
        &row.access_jti,
        &row.secret,
        row.issued_at,
        row.expires_at,
        row.absolute_at,
        row.rotated_at,
        row.created_at,
        row.user_agent.as_deref(),
        row.ip.as_deref()
    )?;
    Ok(())
}

/// The session, ended or not.
pub async fn get(tx: &mut Tx<'_>, id: Uuid) -> Result<Option<SessionRow>, Error> {
    fetch_optional!(
        tx,
        SessionRow,
        "SELECT id, subject, generation, rotation, jti, previous_jti, access_jti, secret, issued_at, expires_at,
         absolute_at, rotated_at, seen_at, created_at, user_agent, ip, ended_at FROM {sessions} WHERE id = $1",
        id
    )
}

/// Puts the successor in the place of the current token `jti` of `rotation`; whether this call was the one that did.
pub async fn rotate(
    tx: &mut Tx<'_>,
    id: Uuid,
    rotation: i64,
    jti: &str,
    next: &Rotation,
) -> Result<bool, Error> {
    let now = tx.now();
    let rows = execute!(
        tx,
        "UPDATE {sessions} SET rotation = rotation + 1, previous_jti = jti, jti = $4, access_jti = $5, secret = $6,
         issued_at = $7, expires_at = $8, rotated_at = $9, seen_at = NULL
         WHERE id = $1 AND rotation = $2 AND jti = $3 AND ended_at IS NULL",
        id,
        rotation,
        jti,
        &next.jti,
        &next.access_jti,
        &next.secret,
        next.issued_at,
        next.expires_at,
        now
    )?;
    Ok(rows == 1)
}

/// Gives a session that has not ended to its owner under another name; false if it was not his.
pub async fn move_to(tx: &mut Tx<'_>, id: Uuid, former: &str, subject: &str) -> Result<bool, Error> {
    let rows = execute!(
        tx,
        "UPDATE {sessions} SET subject = $3 WHERE id = $1 AND subject = $2 AND ended_at IS NULL",
        id,
        former,
        subject
    )?;
    Ok(rows == 1)
}

/// Begins the session, or puts its next token in the place of the last one, whatever that was: for families whose
/// tokens themselves know who is next. A session that is there keeps its absolute end. `false` if it was ended.
pub async fn begin_or_go_on(tx: &mut Tx<'_>, row: &SessionRow) -> Result<bool, Error> {
    let rows = execute!(
        tx,
        "INSERT INTO {sessions} AS s (id, subject, generation, rotation, jti, access_jti, secret, issued_at,
         expires_at, absolute_at, rotated_at, created_at, user_agent, ip)
         VALUES ($1, $2, $3, 0, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
         ON CONFLICT (id) DO UPDATE SET generation = excluded.generation, rotation = s.rotation + 1,
         jti = excluded.jti, access_jti = excluded.access_jti, issued_at = excluded.issued_at,
         expires_at = excluded.expires_at, rotated_at = excluded.rotated_at
         WHERE s.ended_at IS NULL AND s.subject = excluded.subject",
        row.id,
        &row.subject,
        row.generation,
        &row.jti,
        &row.access_jti,
        &row.secret,
        row.issued_at,
        row.expires_at,
        row.absolute_at,
        row.rotated_at,
        row.created_at,
        row.user_agent.as_deref(),
        row.ip.as_deref()
    )?;
    Ok(rows == 1)
}

/// Gives the session new tokens of a new generation, so that none of its older ones counts or may ask again.
pub async fn renew(
    tx: &mut Tx<'_>,
    subject: &str,
    id: Uuid,
    generation: i64,
    next: &Rotation,
) -> Result<bool, Error> {
    let now = tx.now();
    let rows = execute!(
        tx,
        "UPDATE {sessions} SET generation = $3, rotation = rotation + 1, previous_jti = NULL, jti = $4,
         access_jti = $5, secret = $6, issued_at = $7, expires_at = $8, rotated_at = $9, seen_at = NULL
         WHERE id = $1 AND subject = $2 AND ended_at IS NULL",
        id,
        subject,
        generation,
        &next.jti,
        &next.access_jti,
        &next.secret,
        next.issued_at,
        next.expires_at,
        now
    )?;
    Ok(rows == 1)
}

/// Notes that a token of this rotation was presented; whether it was the first.
pub async fn mark_seen(tx: &mut Tx<'_>, id: Uuid, rotation: i64) -> Result<bool, Error> {
    let now = tx.now();
    let rows = execute!(
        tx,
        "UPDATE {sessions} SET seen_at = $3 WHERE id = $1 AND rotation = $2 AND seen_at IS NULL",
        id,
        rotation,
        now
    )?;
    Ok(rows == 1)
}

/// Notes that its user was heard of now, where no token says so (a browser with a cookie). Whether it was alive.
pub async fn see(tx: &mut Tx<'_>, id: Uuid) -> Result<bool, Error> {
    let now = tx.now();
    let rows = execute!(
        tx,
        "UPDATE {sessions} SET seen_at = $2 WHERE id = $1 AND ended_at IS NULL",
        id,
        now
    )?;
    Ok(rows == 1)
}

/// Ends the session, of that subject if one is given; whose it was, if this call was the one that did.
pub async fn end(
    tx: &mut Tx<'_>,
    id: Uuid,
    subject: Option<&str>,
    reason: &str,
) -> Result<Option<String>, Error> {
    let now = tx.now();
    let ended: Option<(String,)> = fetch_optional!(
        tx,
        (String,),
        "UPDATE {sessions} SET ended_at = $3, end_reason = $4
         WHERE id = $1 AND ended_at IS NULL AND subject = COALESCE($2, subject) RETURNING subject",
        id,
        subject,
        now,
        reason
    )?;
    tx.count_rows(u64::from(ended.is_some()));
    Ok(ended.map(|(subject,)| subject))
}

/// Ends every session of the subject but `except`; which ones.
pub async fn end_all(
    tx: &mut Tx<'_>,
    subject: &str,
    except: Option<Uuid>,
    reason: &str,
) -> Result<Vec<Uuid>, Error> {
    let now = tx.now();
    // No session has the nil id.
    let except = except.unwrap_or(Uuid::nil());
    let ended: Vec<(Uuid,)> = fetch_all!(
        tx,
        (Uuid,),
        "UPDATE {sessions} SET ended_at = $3, end_reason = $4
         WHERE subject = $1 AND id <> $2 AND ended_at IS NULL AND expires_at > $3 RETURNING id",
        subject,
        except,
        now,
        reason
    )?;
    tx.count_rows(ended.len() as u64);
    Ok(ended.into_iter().map(|(id,)| id).collect())
}

/// The living sessions of the subject whose tokens are of `generation` or newer, the last used first.
pub async fn list(tx: &mut Tx<'_>, subject: &str, generation: i64) -> Result<Vec<SessionRow>, Error> {
    let now = tx.now();
    fetch_all!(
        tx,
        SessionRow,
        "SELECT id, subject, generation, rotation, jti, previous_jti, access_jti, secret, issued_at, expires_at,
         absolute_at, rotated_at, seen_at, created_at, user_agent, ip, ended_at FROM {sessions}
         WHERE subject = $1 AND ended_at IS NULL AND expires_at > $2 AND generation >= $3
         ORDER BY rotated_at DESC, id DESC",
        subject,
        now,
        generation
    )
}

/// Forgets up to `limit` sessions whose refresh token expired before `before`; how many.
pub async fn sweep(tx: &mut Tx<'_>, before: Timestamp, limit: i64) -> Result<u64, Error> {
    execute!(
        tx,
        "DELETE FROM {sessions} WHERE id IN
         (SELECT id FROM {sessions} WHERE expires_at < $1 ORDER BY expires_at LIMIT $2)",
        before,
        limit
    )
}
