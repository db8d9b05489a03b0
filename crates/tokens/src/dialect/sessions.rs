//! The sessions of our own routes while simplejwt's dialect is spoken, and the way from one dialect into the other.

use gatepost_storage::{Timestamp, Tx, sessions};
use uuid::Uuid;

use super::family::Family;
use super::give::checked;
use super::{RouteError, family};
use crate::claims::Subject;
use crate::error::{Refused, ServiceError};
use crate::purpose::Refresh;
use crate::refresh::Rotation;
use crate::service::TokenService;
use crate::sessions::{EndReason, Grant, NewSession};

impl TokenService {
    /// A session of theirs; `None` where ours are made.
    pub(crate) async fn start_theirs(
        &self,
        tx: &mut Tx<'_>,
        subject: &Subject,
        new: &NewSession,
        absolute_at: Timestamp,
    ) -> Result<Option<Grant>, ServiceError> {
        if !self.speaks_simplejwt() {
            return Ok(None);
        }
        let family = Family {
            id: family::new()?,
            absolute_at,
        };
        self.grant_theirs(tx, checked(subject)?, family, new).await
    }

    /// The session goes on with tokens of theirs, dated after the cut that has just ended its older ones. `None` where
    /// ours go on.
    pub(crate) async fn go_on_in_theirs(
        &self,
        tx: &mut Tx<'_>,
        subject: &str,
        sid: Uuid,
    ) -> Result<Option<Grant>, ServiceError> {
        if self.dialect.is_none() {
            return Ok(None);
        }
        let (new, absolute_at) = match sessions::get(tx, sid).await? {
            Some(old) => {
                let new = NewSession {
                    user_agent: old.user_agent,
                    ip: old.ip,
                };
                (new, old.absolute_at)
            }
            None => (NewSession::default(), tx.now() + self.limits.absolute),
        };
        if absolute_at <= tx.now() {
            return Ok(None);
        }
        if self.speaks_simplejwt() {
            let id = if family::is_one(sid) {
                sid
            } else {
                self.leave(tx, sid).await?;
                family::new()?
            };
            let family = Family { id, absolute_at };
            return self.grant_theirs(tx, subject, family, &new).await;
        }
        if !family::is_one(sid) {
            return Ok(None);
        }
        self.leave(tx, sid).await?;
        let grant = self.start_ours(tx, subject.into(), new, absolute_at).await?;
        Ok(Some(grant))
    }

    async fn grant_theirs(
        &self,
        tx: &mut Tx<'_>,
        subject: &str,
        family: Family,
        new: &NewSession,
    ) -> Result<Option<Grant>, ServiceError> {
        let Some(dialect) = &self.dialect else {
            return Ok(None);
        };
        let pair = self.give_pair(tx, dialect, subject, family, new).await?;
        Ok(Some(Grant {
            access: pair.access,
            refresh: pair.refresh,
            expires_in: pair.access_expires - pair.good_from,
            sid: family.id,
            subject: subject.to_owned(),
            good_from: pair.good_from,
        }))
    }

    /// What comes of a refresh token while both dialects may be met; `None`: it goes by our rules alone.
    pub(crate) async fn refresh_theirs(
        &self,
        tx: &mut Tx<'_>,
        raw: &str,
    ) -> Result<Option<Rotation>, ServiceError> {
        if self.dialect.is_none() {
            return Ok(None);
        }
        if self.theirs(raw).is_none() {
            if self.is_dropped("refresh") {
                return Ok(Some(Rotation::Refused(Refused::Malformed)));
            }
            return if self.speaks_simplejwt() {
                self.exchange_ours(tx, raw).await.map(Some)
            } else {
                Ok(None)
            };
        }
        let renewed = self.renew_in(tx, raw, NewSession::default()).await;
        match renewed {
            Ok(renewed) => Ok(Some(Rotation::Granted(renewed.into_grant(raw)))),
            Err(RouteError::Service(error)) => Err(error),
            Err(error) => Ok(Some(Rotation::Refused(error.into()))),
        }
    }

    /// A refresh token of ours becomes a session of theirs. Strictly: of many callers one wins.
    async fn exchange_ours(&self, tx: &mut Tx<'_>, raw: &str) -> Result<Rotation, ServiceError> {
        let refused = |reason| Ok(Rotation::Refused(reason));
        let token = match self.tokens.check::<Refresh>(raw) {
            Ok(token) => token,
            Err(reason) => return refused(reason),
        };
        let rotation = self.refresh_ours(tx, raw).await?;
        let Rotation::Granted(old) = rotation else {
            return Ok(rotation);
        };
        let Some(row) = sessions::get(tx, old.sid).await? else {
            return refused(Refused::Revoked);
        };
        // Not told as an end: the session goes on under another id, and its access tokens live out their time.
        if !self.leave(tx, old.sid).await? {
            return refused(Refused::Revoked);
        }
        let new = NewSession {
            user_agent: row.user_agent,
            ip: row.ip,
        };
        let family = Family {
            id: family::new()?,
            absolute_at: row.absolute_at,
        };
        match self.grant_theirs(tx, &token.subject, family, &new).await? {
            Some(grant) => Ok(Rotation::Granted(grant)),
            None => refused(Refused::Revoked),
        }
    }

    /// Closes a session's row because it goes on in the other dialect; whether this call did.
    pub(crate) async fn leave(&self, tx: &mut Tx<'_>, sid: Uuid) -> Result<bool, ServiceError> {
        let reason = EndReason::Revoked.as_str();
        Ok(sessions::end(tx, sid, None, reason).await?.is_some())
    }
}
