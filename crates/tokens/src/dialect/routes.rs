//! What simplejwt's own routes do.

use gatepost_storage::sessions::SessionRow;
use gatepost_storage::{Timestamp, Tx, blacklisted_tokens, outstanding_tokens, sessions};
use serde_json::Value;

use super::cut::outstanding;
use super::family::Family;
use super::give::{access_of, lasts_until, make_member};
use super::outcome::{Obtained, Renewed, RouteError};
use super::take::check_listed;
use super::{Dialect, family};
use crate::error::{Refused, ServiceError};
use crate::service::TokenService;
use crate::sessions::{EndReason, NewSession};
use crate::simplejwt::{Payload, SimpleJwt, TokenError, UserId};

impl TokenService {
    /// What the obtain routes give to somebody who has shown who he is: a session, or a sliding token.
    pub async fn obtain_in(
        &self,
        tx: &mut Tx<'_>,
        subject: &str,
        new: NewSession,
        sliding: bool,
    ) -> Result<Obtained, ServiceError> {
        let Some(dialect) = self
            .dialect
            .as_ref()
            .filter(|dialect| sliding && dialect.speaks())
        else {
            return Ok(Obtained::Pair(self.start_session_in(tx, subject, new).await?));
        };
        let (jwt, second) = self.their_hour(tx, dialect, subject).await?;
        let password = Self::tied_to(tx, dialect, subject).await?;
        let mut payload = jwt.for_user("sliding", &UserId::from(subject), password.as_deref())?;
        let family = Family {
            id: family::new()?,
            absolute_at: Timestamp::from_secs(lasts_until(&jwt, &payload)),
        };
        make_member(&jwt, &mut payload, family)?;
        let token = jwt.encode(&payload)?;
        let exp = jwt.expires_at(&payload).unwrap_or(second);
        outstanding_tokens::insert(tx, &outstanding(dialect, &payload, &token, tx.now(), exp)).await?;
        self.note_family(tx, &jwt, &payload, family, subject, &new)
            .await?;
        Ok(Obtained::Sliding {
            token,
            sid: family.id,
            good_from: second,
        })
    }

    /// What the refresh route does: a new access token, and a successor if refresh tokens are rotated, until the absolute
    /// end of the family. Where theirs are only taken, a session of ours instead, with the same end. Where the old
    /// one is blacklisted by that, one of many callers wins, on any number of instances; the others find it
    /// blacklisted. The transaction must be rolled back if this is an error. A token of ours goes to
    /// [`refresh_in`](Self::refresh_in), which has more to say.
    pub async fn renew_in(&self, tx: &mut Tx<'_>, raw: &str, new: NewSession) -> Result<Renewed, RouteError> {
        let Some(dialect) = self.theirs(raw) else {
            return Err(TokenError::Invalid.into());
        };
        let mut payload = check_listed(tx, &dialect, raw, "refresh").await??;
        let former = dialect.jwt.user_id(&payload).map(|user| user.to_string());
        let subject = self.living_user(tx, &dialect, &mut payload).await?;
        let (family, known) = self.family_of(tx, &dialect.jwt, &payload).await?;
        if family.absolute_at <= tx.now() {
            return Err(TokenError::Expired.into());
        }
        if !dialect.speaks() {
            self.blacklist_once(tx, &dialect, &payload, raw).await?;
            if !self.leave(tx, family.id).await? && known {
                // It was ended here, or another of its tokens took it along.
                return Err(TokenError::Blacklisted.into());
            }
            let grant = self
                .start_ours(tx, subject.into(), new, family.absolute_at)
                .await?;
            return Ok(Renewed::of_grant(grant));
        }
        let (jwt, second) = self.their_hour(tx, &dialect, &subject).await?;
        let (access, access_expires) = access_of(&jwt, &payload, family)?;
        let settings = jwt.settings();
        let (mut current, mut successor) = (payload, None);
        if settings.rotate_refresh_tokens {
            if settings.blacklist_after_rotation {
                self.blacklist_once(tx, &dialect, &current, raw).await?;
            }
            jwt.rotate(&mut current)?;
            make_member(&jwt, &mut current, family)?;
            let next = jwt.encode(&current)?;
            let exp = jwt.expires_at(&current).unwrap_or(second);
            outstanding_tokens::insert(tx, &outstanding(&dialect, &current, &next, tx.now(), exp)).await?;
            successor = Some(next);
        }
        if let Some(former) = former.filter(|former| *former != subject) {
            sessions::move_to(tx, family.id, &former, &subject).await?;
        }
        if !subject.is_empty()
            && !self
                .note_family(tx, &jwt, &current, family, &subject, &new)
                .await?
        {
            // It was ended here, by logging out or in the list of sessions.
            return Err(TokenError::Blacklisted.into());
        }
        Ok(Renewed {
            access,
            refresh: successor,
            sid: family.id,
            subject,
            expires_in: access_expires - second,
            good_from: second,
        })
    }

    /// The family of a refresh token, and whether it was seen here before. If not, it is as old as the token that shows it.
    async fn family_of(
        &self,
        tx: &mut Tx<'_>,
        jwt: &SimpleJwt,
        payload: &Payload,
    ) -> Result<(Family, bool), RouteError> {
        let id = family::of(jwt.jti(payload)?);
        let row = sessions::get(tx, id).await?;
        if let Some(SessionRow { absolute_at, .. }) = row {
            return Ok((Family { id, absolute_at }, true));
        }
        let born = jwt.issued_at(payload).map_or(tx.now(), Timestamp::from_secs);
        let absolute_at = born + self.limits.absolute;
        Ok((Family { id, absolute_at }, false))
    }

    async fn blacklist_once(
        &self,
        tx: &mut Tx<'_>,
        dialect: &Dialect,
        payload: &Payload,
        raw: &str,
    ) -> Result<(), RouteError> {
        let exp = dialect.jwt.expires_at(payload).unwrap_or_default();
        let row = outstanding(dialect, payload, raw, tx.now(), exp);
        if blacklisted_tokens::insert(tx, &row).await? {
            Ok(())
        } else {
            Err(TokenError::Blacklisted.into())
        }
    }

    /// The token's user, who must be there and active, and is called in it as he is called here from now on. A token for
    /// nobody is nobody's to refuse, as there.
    async fn living_user(
        &self,
        tx: &mut Tx<'_>,
        dialect: &Dialect,
        payload: &mut Payload,
    ) -> Result<String, RouteError> {
        let claim = payload.get(&dialect.jwt.settings().user_id_claim);
        if claim.is_none_or(is_falsy) {
            return Ok(String::new());
        }
        let subject = dialect
            .jwt
            .user_id(payload)
            .ok_or(RouteError::NoAccount)?
            .to_string();
        if !dialect.knows_accounts() {
            return Ok(subject);
        }
        match dialect.account(tx, &subject).await? {
            Some(account) if account.active || !dialect.jwt.settings().check_user_is_active => {
                if account.subject != subject {
                    payload.set(&dialect.jwt.settings().user_id_claim, account.subject.as_str());
                }
                Ok(account.subject)
            }
            _ => Err(RouteError::NoAccount),
        }
    }

    /// What the verify route does: any token of theirs that has time left; with `blacklist_after_rotation` also not a
    /// blacklisted one. The inner error says that it is blacklisted, for which that route has an answer of its own.
    pub async fn verify_any_in(&self, tx: &mut Tx<'_>, raw: &str) -> Result<bool, RouteError> {
        let Some(dialect) = self.theirs(raw) else {
            return match self.validate_any(raw).await {
                Ok(_) => Ok(true),
                Err(Refused::Unavailable(cause)) => Err(RouteError::Service(unavailable(cause))),
                Err(refused) => Err(their_words(&refused).into()),
            };
        };
        let jwt = &dialect.jwt;
        let payload = jwt.decode(raw)?;
        jwt.verify_untyped(&payload)?;
        let jti = jwt.jti(&payload)?.to_owned();
        let listed =
            jwt.settings().blacklist_after_rotation && blacklisted_tokens::contains(tx, &jti).await?;
        Ok(!listed)
    }

    /// What the blacklist route does: ends a refresh token, and here its family with its access tokens.
    pub async fn blacklist_in(&self, tx: &mut Tx<'_>, raw: &str) -> Result<(), RouteError> {
        let Some(dialect) = self.theirs(raw) else {
            if let Err(refused) = self.tokens.check::<crate::purpose::Refresh>(raw) {
                return Err(their_words(&refused).into());
            }
            return if !self.is_dropped("refresh") && self.log_out_in(tx, raw).await? {
                Ok(())
            } else {
                Err(TokenError::Blacklisted.into())
            };
        };
        let payload = check_listed(tx, &dialect, raw, "refresh").await??;
        self.blacklist_once(tx, &dialect, &payload, raw).await?;
        let jti = dialect.jwt.jti(&payload)?.to_owned();
        self.end_family(tx, &jti, EndReason::Logout).await?;
        Ok(())
    }

    /// What the refresh route of sliding tokens does: the same token with new times. It is neither rotated nor
    /// blacklisted, as there.
    pub async fn slide_in(&self, tx: &mut Tx<'_>, raw: &str) -> Result<String, RouteError> {
        let Some(dialect) = self.theirs(raw) else {
            return Err(TokenError::Invalid.into());
        };
        let mut payload = check_listed(tx, &dialect, raw, "sliding").await??;
        dialect.jwt.slide(&mut payload)?;
        Ok(dialect.jwt.encode(&payload)?)
    }

    /// Waits until what was obtained counts; see [`ripe`](Self::ripe).
    pub async fn ripe_obtained(&self, obtained: &Obtained) {
        match obtained {
            Obtained::Pair(grant) => self.ripe(grant).await,
            Obtained::Sliding { good_from, .. } => self.ripe_at(*good_from).await,
        }
    }

    /// Waits until what was renewed counts; see [`ripe`](Self::ripe).
    pub async fn ripe_renewed(&self, renewed: &Renewed) {
        self.ripe_at(renewed.good_from).await;
    }
}

/// Python's idea of nothing.
fn is_falsy(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::Bool(true) => false,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
    }
}

fn their_words(refused: &Refused) -> TokenError {
    match refused {
        Refused::Expired => TokenError::Expired,
        Refused::WrongPurpose => TokenError::WrongType,
        Refused::Used | Refused::Revoked => TokenError::Blacklisted,
        Refused::Malformed | Refused::Unavailable(_) => TokenError::Invalid,
    }
}

fn unavailable(cause: crate::error::Unavailable) -> ServiceError {
    ServiceError::Unavailable(cause)
}
