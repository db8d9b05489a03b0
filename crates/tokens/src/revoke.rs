//! Revoking: one token, a session, a purpose, or all that a subject holds.

use std::time::Duration;

use gatepost_storage::revocation_log::{self, News};
use gatepost_storage::{Conn, Timestamp, Tx, blacklist, generations};
use uuid::Uuid;

use crate::claims::AnyToken;
use crate::error::ServiceError;
use crate::purpose::{Access, Purpose, Refresh, class_of};
use crate::service::TokenService;
use crate::sessions::EndReason;

/// The news of a revocation is kept at least so long, whatever the lifetime of access tokens is now: it may have
/// been longer (60 min, the default) when they were made.
const LEAST_NEWS: Duration = Duration::from_hours(1);

impl TokenService {
    /// Kills everything that the subject holds, of every purpose; how many sessions that ended.
    pub async fn revoke_all<'c>(
        &self,
        conn: impl Into<Conn<'c>>,
        subject: &str,
    ) -> Result<u64, ServiceError> {
        let mut tx = self.store.join(conn)?;
        self.revoke_all_in(&mut tx, subject).await
    }

    /// As [`revoke_all`](Self::revoke_all), inside [`run_tx`](gatepost_storage::Store::run_tx).
    pub async fn revoke_all_in(&self, tx: &mut Tx<'_>, subject: &str) -> Result<u64, ServiceError> {
        let generation = generations::bump(tx, subject, generations::EVERY_CLASS).await?;
        self.tell_subject(tx, subject, generation).await?;
        #[cfg(feature = "simplejwt")]
        self.cut_theirs(tx, subject, crate::dialect::EVERY_KIND).await?;
        self.end_rows(tx, subject, None, EndReason::Revoked).await
    }

    /// Ends one session, of `subject` only if one is given; whether it was alive.
    pub async fn end_session_in(
        &self,
        tx: &mut Tx<'_>,
        subject: Option<&str>,
        sid: Uuid,
        reason: EndReason,
    ) -> Result<bool, ServiceError> {
        if !self.end_row(tx, subject, sid, reason).await? {
            return Ok(false);
        }
        let expires_at = self.news_until(tx);
        let sid = sid.to_string();
        let news = News {
            kind: "session",
            key: &sid,
            generation: None,
            expires_at,
        };
        revocation_log::insert(tx, &news).await?;
        Ok(true)
    }

    /// Logs the subject out everywhere: every session ends, every access, refresh and socket token dies; how many
    /// sessions that were.
    pub async fn end_all_sessions_in(
        &self,
        tx: &mut Tx<'_>,
        subject: &str,
        reason: EndReason,
    ) -> Result<u64, ServiceError> {
        self.void_sessions(tx, subject).await?;
        self.end_rows(tx, subject, None, reason).await
    }

    /// Kills one token until it expires; a refresh token ends its session with all its access tokens (RFC 7009 2.1).
    /// Whether it was alive; text that is no token of ours is not (RFC 7009 2.2: that is no error).
    pub async fn revoke_token_in(&self, tx: &mut Tx<'_>, raw: &str) -> Result<bool, ServiceError> {
        self.kill(tx, raw, EndReason::Revoked).await
    }

    /// The same when its user logs out: whoever is told that the session ended is told that reason.
    pub async fn log_out_in(&self, tx: &mut Tx<'_>, raw: &str) -> Result<bool, ServiceError> {
        self.kill(tx, raw, EndReason::Logout).await
    }

    async fn kill(&self, tx: &mut Tx<'_>, raw: &str, reason: EndReason) -> Result<bool, ServiceError> {
        #[cfg(feature = "simplejwt")]
        if let Some(won) = self.kill_theirs(tx, raw, reason).await? {
            return Ok(won);
        }
        self.read_keys_for(tx, raw).await?;
        let Ok(token) = self.tokens.check_any(raw) else {
            self.counts.killed("", false);
            return Ok(false);
        };
        let killed = self.kill_checked(tx, &token, reason).await?;
        self.counts.killed(&token.purpose.name, killed);
        Ok(killed)
    }

    async fn kill_checked(
        &self,
        tx: &mut Tx<'_>,
        token: &AnyToken,
        reason: EndReason,
    ) -> Result<bool, ServiceError> {
        // A refresh token that is dead already must not end the session that outlived it (a password change).
        if let Some(generation) = token.generation
            && generation < generations::current(tx, &token.subject, token.purpose.class()).await?
        {
            return Ok(false);
        }
        let session = token
            .session
            .as_ref()
            .and_then(|session| session.sid.parse().ok());
        if token.purpose.name == Refresh::NAME
            && let Some(sid) = session
        {
            return self.end_session_in(tx, Some(&token.subject), sid, reason).await;
        }
        let until = token.expires_at.max(token.keep_until.unwrap_or(0));
        let expires_at = Timestamp::from_secs(until);
        let won = blacklist::insert(tx, &token.jti, "revoked", expires_at).await?;
        if won && token.purpose.name == Access::NAME {
            let news = News {
                kind: "token",
                key: &token.jti,
                generation: None,
                expires_at,
            };
            revocation_log::insert(tx, &news).await?;
        }
        Ok(won)
    }

    /// Kills the subject's tokens for `P` (for access, refresh and socket: of all three) that were made before now.
    pub async fn void_in<P: Purpose>(&self, tx: &mut Tx<'_>, subject: &str) -> Result<(), ServiceError> {
        if class_of(P::NAME) == "session" {
            self.void_sessions(tx, subject).await?;
        } else {
            generations::bump(tx, subject, class_of(P::NAME)).await?;
            #[cfg(feature = "simplejwt")]
            self.cut_theirs(tx, subject, P::NAME).await?;
        }
        Ok(())
    }

    /// A number for a letter that is asked for now, to be carried by its link: higher than any before it.
    pub async fn next_generation_in(&self, tx: &mut Tx<'_>) -> Result<i64, ServiceError> {
        Ok(generations::next(tx).await?)
    }

    /// Kills the links for `P` that were asked for before the letter of this number: call it when that letter is
    /// noted sent, so that nobody is left without a link that works. Whether anything was raised.
    pub async fn raise_generation_in<P: Purpose>(
        &self,
        tx: &mut Tx<'_>,
        subject: &str,
        generation: i64,
    ) -> Result<bool, ServiceError> {
        Ok(generations::raise(tx, subject, class_of(P::NAME), generation).await?)
    }

    /// Whether a link of this number would be dead on arrival: it was voided while its letter waited.
    pub async fn is_void_in<P: Purpose>(
        &self,
        tx: &mut Tx<'_>,
        subject: &str,
        generation: i64,
    ) -> Result<bool, ServiceError> {
        Ok(generation < generations::current(tx, subject, class_of(P::NAME)).await?)
    }

    /// A new generation of session tokens; the old ones are dead everywhere.
    pub(crate) async fn void_sessions(&self, tx: &mut Tx<'_>, subject: &str) -> Result<i64, ServiceError> {
        let generation = generations::bump(tx, subject, "session").await?;
        self.tell_subject(tx, subject, generation).await?;
        #[cfg(feature = "simplejwt")]
        self.cut_theirs(tx, subject, "session").await?;
        Ok(generation)
    }

    async fn tell_subject(
        &self,
        tx: &mut Tx<'_>,
        subject: &str,
        generation: i64,
    ) -> Result<(), ServiceError> {
        let expires_at = self.news_until(tx);
        Ok(revocation_log::insert(
            tx,
            &News {
                kind: "subject",
                key: subject,
                generation: Some(generation),
                expires_at,
            },
        )
        .await?)
    }

    fn longest_access(&self) -> Duration {
        #[cfg(feature = "simplejwt")]
        if let Some(theirs) = self.their_access_lifetime() {
            return theirs.max(self.access_lifetime());
        }
        self.access_lifetime()
    }

    pub(crate) fn news_until(&self, tx: &Tx<'_>) -> Timestamp {
        // A minute more, for a token that is being made at this moment by another instance's reckoning.
        tx.now() + self.longest_access().max(LEAST_NEWS) + Duration::from_mins(1)
    }
}
