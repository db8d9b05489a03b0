//! Sessions: begun by a login, listed and ended by their user, gone on with after a password change.

use std::fmt;
use std::time::Duration;

use gatepost_storage::sessions::{self, Rotation, SessionRow};
use gatepost_storage::{Conn, Timestamp, Tx, generations, new_id};
use serde::Serialize;
use uuid::Uuid;

use crate::claims::Subject;
use crate::error::ServiceError;
use crate::issue::NewToken;
use crate::jti::Jti;
use crate::purpose::{Access, Purpose as _, Refresh};
use crate::service::TokenService;

/// What is known about who begins a session; shown to the user, trusted for nothing.
#[derive(Debug, Clone, Default)]
pub struct NewSession {
    /// What the client calls itself, cut to 255 characters.
    pub user_agent: Option<String>,
    /// Where it comes from: an address, or something less exact.
    pub ip: Option<String>,
}

/// The tokens of a session. `Debug` does not show them.
#[derive(Clone, PartialEq, Eq)]
pub struct Grant {
    /// Calls the API.
    pub access: String,
    /// Gets the next grant.
    pub refresh: String,
    /// For how many seconds from now the access token is good.
    pub expires_in: i64,
    /// The session.
    pub sid: Uuid,
    /// Whose it is.
    pub subject: String,
    /// The second from which on they count.
    pub(crate) good_from: i64,
}

impl fmt::Debug for Grant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Grant")
            .field("sid", &self.sid)
            .field("subject", &self.subject)
            .finish_non_exhaustive()
    }
}

/// A living session, as its user sees it.
#[derive(Debug, Clone, Serialize)]
pub struct Session {
    /// Its id, the claim `sid`.
    pub id: Uuid,
    /// Whose it is.
    pub subject: String,
    /// When it began.
    pub created_at: Timestamp,
    /// When it last got new tokens, or showed them for the first time.
    pub last_used_at: Timestamp,
    /// When it ends if it is not refreshed.
    pub expires_at: Timestamp,
    /// What the client called itself when it began.
    pub user_agent: Option<String>,
    /// Where it came from when it began.
    pub ip: Option<String>,
}

/// Why a session ended, as it stands in its row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EndReason {
    /// Its user logged out.
    Logout,
    /// Its user or an administrator revoked it.
    Revoked,
    /// An old refresh token came back: one of two holders is a thief.
    Reuse,
    /// The password was changed elsewhere.
    PasswordChanged,
    /// The account is gone or closed.
    Deleted,
}

impl EndReason {
    /// The word in the table and in events.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Logout => "logout",
            Self::Revoked => "revoked",
            Self::Reuse => "reuse",
            Self::PasswordChanged => "password_changed",
            Self::Deleted => "deleted",
        }
    }
}

impl TokenService {
    /// Begins a session and gives its first tokens.
    pub async fn start_session<'c>(
        &self,
        conn: impl Into<Conn<'c>>,
        subject: impl Into<Subject>,
        new: NewSession,
    ) -> Result<Grant, ServiceError> {
        let mut tx = self.store.join(conn)?;
        self.start_session_in(&mut tx, subject, new).await
    }

    /// As [`start_session`](Self::start_session), inside [`run_tx`](gatepost_storage::Store::run_tx).
    pub async fn start_session_in(
        &self,
        tx: &mut Tx<'_>,
        subject: impl Into<Subject>,
        new: NewSession,
    ) -> Result<Grant, ServiceError> {
        let subject = subject.into();
        let absolute_at = tx.now() + self.limits.absolute;
        #[cfg(feature = "simplejwt")]
        if let Some(grant) = self.start_theirs(tx, &subject, &new, absolute_at).await? {
            return Ok(grant);
        }
        self.start_ours(tx, subject, new, absolute_at).await
    }

    /// A session of ours that ends then at the latest: later than from now on if it goes on from one in another dialect.
    pub(crate) async fn start_ours(
        &self,
        tx: &mut Tx<'_>,
        subject: Subject,
        new: NewSession,
        absolute_at: Timestamp,
    ) -> Result<Grant, ServiceError> {
        let now = tx.now();
        self.revocations.read_keys_in(tx).await?;
        let first = self.next_tokens(now, absolute_at)?;
        let row = SessionRow {
            id: new_id(now),
            generation: generations::current(tx, subject.as_str(), "session").await?,
            subject: subject.0,
            rotation: 0,
            jti: first.jti,
            previous_jti: None,
            access_jti: first.access_jti,
            secret: first.secret,
            issued_at: first.issued_at,
            expires_at: first.expires_at,
            absolute_at,
            rotated_at: now,
            seen_at: None,
            created_at: now,
            user_agent: new
                .user_agent
                .map(|name| name.chars().filter(|c| !c.is_control()).take(255).collect()),
            ip: new.ip,
            ended_at: None,
        };
        // Minted first: a subject that can't be in a token must not be in the table either.
        let grant = self.grant(&row, now)?;
        sessions::insert(tx, &row).await?;
        self.counts.made(Access::NAME);
        self.counts.made(Refresh::NAME);
        Ok(grant)
    }

    /// The living sessions of a subject, the last used first.
    pub async fn sessions(&self, subject: &str) -> Result<Vec<Session>, ServiceError> {
        let (service, subject) = (self.clone(), subject.to_owned());
        self.store
            .read("sessions", |tx| {
                Box::pin(async move { service.sessions_in(tx, &subject).await })
            })
            .await
    }

    /// As [`sessions`](Self::sessions), in a transaction.
    pub async fn sessions_in(&self, tx: &mut Tx<'_>, subject: &str) -> Result<Vec<Session>, ServiceError> {
        let generation = generations::current(tx, subject, "session").await?;
        let rows = sessions::list(tx, subject, generation).await?;
        Ok(rows.into_iter().map(Session::from).collect())
    }

    /// Kills every older token of the user and every other session, and lets this one go on with new tokens: for
    /// whoever has just changed the password. `None` if the session is not there; the rest is dead all the same.
    pub async fn renew_session_in(
        &self,
        tx: &mut Tx<'_>,
        subject: &str,
        sid: Uuid,
    ) -> Result<Option<Grant>, ServiceError> {
        let now = tx.now();
        let generation = self.void_sessions(tx, subject).await?;
        self.end_rows(tx, subject, Some(sid), EndReason::PasswordChanged)
            .await?;
        #[cfg(feature = "simplejwt")]
        if let Some(grant) = self.go_on_in_theirs(tx, subject, sid).await? {
            return Ok(Some(grant));
        }
        let Some(old) = sessions::get(tx, sid).await? else {
            return Ok(None);
        };
        self.revocations.read_keys_in(tx).await?;
        let next = self.next_tokens(now, old.absolute_at)?;
        if old.absolute_at <= now || !sessions::renew(tx, subject, sid, generation, &next).await? {
            return Ok(None);
        }
        match sessions::get(tx, sid).await? {
            Some(row) => Ok(Some(self.grant(&row, now)?)),
            None => Ok(None),
        }
    }

    /// New identities and times for the next tokens of a session.
    pub(crate) fn next_tokens(
        &self,
        now: Timestamp,
        absolute_at: Timestamp,
    ) -> Result<Rotation, ServiceError> {
        let issued_at = now.as_secs();
        let expires_at = issued_at
            .saturating_add(seconds(self.refresh_lifetime()))
            .min(absolute_at.as_secs());
        Ok(Rotation {
            jti: Jti::random()?.to_string(),
            access_jti: Jti::random()?.to_string(),
            secret: self.tokens.signer_of_refresh()?,
            issued_at: Timestamp::from_secs(issued_at),
            expires_at: Timestamp::from_secs(expires_at),
        })
    }

    /// The tokens that the row describes: the same bytes whenever it is asked, except that an access token which has
    /// spent half its life is replaced by a new one.
    pub(crate) fn grant(&self, row: &SessionRow, now: Timestamp) -> Result<Grant, ServiceError> {
        let token = || {
            NewToken::new(row.subject.as_str())
                .session(row.id.to_string(), row.rotation)
                .generation(row.generation)
                .signed_by(&row.secret)
        };
        let refresh = token()
            .jti(Jti::known(&row.jti))
            .times(row.issued_at.as_secs(), row.expires_at.as_secs());
        let lifetime = seconds(self.access_lifetime());
        let ends = |from: i64| from.saturating_add(lifetime).min(row.absolute_at.as_secs());
        let (now, first) = (now.as_secs(), row.issued_at.as_secs());
        let access = if now - first <= lifetime / 2 {
            token().jti(Jti::known(&row.access_jti)).times(first, ends(first))
        } else {
            token().times(now, ends(now))
        };
        let access = self.tokens.mint::<Access>(&access)?;
        Ok(Grant {
            refresh: self.tokens.mint::<Refresh>(&refresh)?.raw,
            expires_in: access.expires_at - now,
            access: access.raw,
            sid: row.id,
            subject: row.subject.clone(),
            good_from: 0,
        })
    }
}

pub(crate) fn seconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_secs()).unwrap_or(i64::MAX)
}

impl From<SessionRow> for Session {
    fn from(row: SessionRow) -> Self {
        Self {
            id: row.id,
            subject: row.subject,
            created_at: row.created_at,
            last_used_at: row
                .seen_at
                .map_or(row.rotated_at, |seen| seen.max(row.rotated_at)),
            expires_at: row.expires_at,
            user_agent: row.user_agent,
            ip: row.ip,
        }
    }
}
