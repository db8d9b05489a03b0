//! Making theirs, with the rows that Django writes for each.

use gatepost_storage::sessions::SessionRow;
use gatepost_storage::{Timestamp, Tx, generations, outstanding_tokens, sessions};
use serde_json::{Map, Value};

use super::cut::{self, outstanding};
use super::family::Family;
use super::{Dialect, family};
use crate::claims::Subject;
use crate::error::{CreateError, ServiceError};
use crate::issue::{Minted, NewToken};
use crate::service::TokenService;
use crate::sessions::{Grant, NewSession};
use crate::simplejwt::{Payload, SimpleJwt, UserId};

/// Made together: a refresh token and the access token beside it.
pub(crate) struct Pair {
    pub(crate) refresh: String,
    pub(crate) access: String,
    /// From when on they count.
    pub(crate) good_from: i64,
    /// From when on the access token is dead.
    pub(crate) access_expires: i64,
}

impl TokenService {
    /// Waits until tokens count that were made just after a cut: at most a second. Call it after the commit and
    /// before the tokens are given out.
    pub async fn ripe(&self, grant: &Grant) {
        self.ripe_at(grant.good_from).await;
    }

    pub(crate) async fn ripe_at(&self, second: i64) {
        if self.store.now().as_secs() < second {
            self.store.sleep_until(Timestamp::from_secs(second)).await;
        }
    }

    /// The rules of this second, or of the next if all of this one was cut for the user.
    pub(crate) async fn their_hour(
        &self,
        tx: &mut Tx<'_>,
        dialect: &Dialect,
        subject: &str,
    ) -> Result<(SimpleJwt, i64), ServiceError> {
        let lowest = cut::lowest(tx, subject, "session").await?;
        let second = tx.now().as_secs().max(lowest);
        Ok((dialect.jwt.at(second), second))
    }

    /// The password string that a token is to be tied to, where it is.
    pub(crate) async fn tied_to(
        tx: &mut Tx<'_>,
        dialect: &Dialect,
        subject: &str,
    ) -> Result<Option<String>, ServiceError> {
        if !dialect.jwt.settings().check_revoke_token {
            return Ok(None);
        }
        Ok(dialect
            .account(tx, subject)
            .await?
            .map(|account| account.password))
    }

    /// A refresh token of the family for the user, with its access token and its rows.
    pub(crate) async fn give_pair(
        &self,
        tx: &mut Tx<'_>,
        dialect: &Dialect,
        subject: &str,
        family: Family,
        new: &NewSession,
    ) -> Result<Pair, ServiceError> {
        let (jwt, second) = self.their_hour(tx, dialect, subject).await?;
        let password = Self::tied_to(tx, dialect, subject).await?;
        let mut refresh = jwt.for_user("refresh", &UserId::from(subject), password.as_deref())?;
        make_member(&jwt, &mut refresh, family)?;
        let raw = jwt.encode(&refresh)?;
        let access = access_of(&jwt, &refresh, family)?;
        let exp = jwt.expires_at(&refresh).unwrap_or(second);
        outstanding_tokens::insert(tx, &outstanding(dialect, &refresh, &raw, tx.now(), exp)).await?;
        self.note_family(tx, &jwt, &refresh, family, subject, new).await?;
        Ok(Pair {
            access_expires: access.1,
            access: access.0,
            refresh: raw,
            good_from: second,
        })
    }

    /// Writes down which refresh token the family is at; `false` if it has ended.
    pub(crate) async fn note_family(
        &self,
        tx: &mut Tx<'_>,
        jwt: &SimpleJwt,
        refresh: &Payload,
        family: Family,
        subject: &str,
        new: &NewSession,
    ) -> Result<bool, ServiceError> {
        let now = tx.now();
        let expires_at = Timestamp::from_secs(lasts_until(jwt, refresh));
        let row = SessionRow {
            id: family.id,
            subject: subject.to_owned(),
            generation: generations::current(tx, subject, "session").await?,
            rotation: 0,
            jti: jwt.jti(refresh).unwrap_or_default().to_owned(),
            previous_jti: None,
            access_jti: String::new(),
            secret: String::new(),
            issued_at: Timestamp::from_secs(jwt.issued_at(refresh).unwrap_or(now.as_secs())),
            expires_at,
            absolute_at: family.absolute_at,
            rotated_at: now,
            seen_at: None,
            created_at: now,
            user_agent: new
                .user_agent
                .as_ref()
                .map(|name| name.chars().filter(|c| !c.is_control()).take(255).collect()),
            ip: new.ip.clone(),
            ended_at: None,
        };
        Ok(sessions::begin_or_go_on(tx, &row).await?)
    }

    /// A token of one of the project's own kinds; `None` where theirs are not made, or not of this kind.
    pub(crate) async fn create_theirs(
        &self,
        tx: &mut Tx<'_>,
        name: &str,
        new: &NewToken<Map<String, Value>>,
    ) -> Result<Option<Minted>, ServiceError> {
        let Some(dialect) = self.dialect.as_ref().filter(|dialect| dialect.speaks()) else {
            return Ok(None);
        };
        let Some(kind) = dialect.jwt.kind(name) else {
            return Ok(None);
        };
        let subject = checked(&new.subject)?;
        let lowest = cut::lowest(tx, subject, cut::class_of_kind(name)).await?;
        let second = tx.now().as_secs().max(lowest);
        let jwt = dialect.jwt.at(second);
        let password = Self::tied_to(tx, dialect, subject).await?;
        let mut payload = jwt.for_user(name, &UserId::from(subject), password.as_deref())?;
        if let Some(lifetime) = new.lifetime {
            if lifetime.as_secs() == 0 || lifetime > crate::purpose::MAX_LIFETIME {
                return Err(CreateError::Lifetime(lifetime).into());
            }
            payload.set("exp", second.saturating_add(crate::sessions::seconds(lifetime)));
        }
        if !new.extra.is_empty() {
            payload.set("ext", Value::Object(new.extra.clone()));
        }
        let raw = jwt.encode(&payload)?;
        let exp = jwt.expires_at(&payload).unwrap_or(second);
        if kind.blacklisted {
            outstanding_tokens::insert(tx, &outstanding(dialect, &payload, &raw, tx.now(), exp)).await?;
        }
        Ok(Some(Minted {
            jti: jwt.jti(&payload).unwrap_or_default().to_owned(),
            raw,
            issued_at: second,
            expires_at: exp,
        }))
    }
}

/// Simplejwt takes any subject; ours are the bounds of every other token here.
pub(crate) fn checked(subject: &Subject) -> Result<&str, CreateError> {
    let text = subject.as_str();
    let good =
        (1..=crate::issue::MAX_SUBJECT_BYTES).contains(&text.len()) && !text.chars().any(char::is_control);
    if good { Ok(text) } else { Err(CreateError::Subject) }
}

/// The access token beside a refresh token, and when it expires.
pub(crate) fn access_of(
    jwt: &SimpleJwt,
    refresh: &Payload,
    family: Family,
) -> Result<(String, i64), CreateError> {
    let mut access = jwt.access_from(refresh)?;
    make_member(jwt, &mut access, family)?;
    let exp = jwt.expires_at(&access).unwrap_or_default();
    Ok((jwt.encode(&access)?, exp))
}

/// Until when a token can be gone on with: a sliding one after it has expired, too.
pub(crate) fn lasts_until(jwt: &SimpleJwt, payload: &Payload) -> i64 {
    let exp = jwt.expires_at(payload).unwrap_or_default();
    let slides = payload.get(&jwt.settings().sliding_token_refresh_exp_claim);
    exp.max(slides.and_then(Value::as_i64).unwrap_or_default())
}

/// Gives it an identity of the family, and no more time than the family has.
pub(crate) fn make_member(jwt: &SimpleJwt, payload: &mut Payload, family: Family) -> Result<(), CreateError> {
    if let Some(claim) = &jwt.settings().jti_claim {
        payload.set(claim, family::member(family.id)?);
    }
    if let Some(exp) = jwt.expires_at(payload) {
        payload.set("exp", family.cut(exp));
    }
    Ok(())
}
