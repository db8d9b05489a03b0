//! Looking at theirs and using them up, for our own routes and for whoever asks the service.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use gatepost_storage::{Tx, blacklist, blacklisted_tokens};
use serde_json::{Map, Value};

use super::cut::{self, outstanding};
use super::{Account, Dialect, family, refusal};
use crate::claims::{AnyToken, Claims, SessionRef};
use crate::error::Refused;
use crate::purpose::{Purpose, PurposeSpec};
use crate::service::TokenService;
use crate::simplejwt::{Payload, SimpleJwt, TokenError};

impl TokenService {
    /// One of theirs, if it counts for `purpose` (for any if none is named). `None`: it goes by our rules.
    pub(crate) async fn look_at_theirs(
        &self,
        raw: &str,
        purpose: Option<&str>,
    ) -> Option<Result<AnyToken, Refused>> {
        Some(match self.of_theirs(raw)? {
            Ok(dialect) => self.look_closely(&dialect, raw, purpose).await,
            Err(refused) => Err(refused),
        })
    }

    /// The dialect that the token is of, or why it is refused as one of ours. `None`: it goes by our rules.
    fn of_theirs(&self, raw: &str) -> Option<Result<Arc<Dialect>, Refused>> {
        // Nothing is to be learnt from a token's header where one dialect is spoken: this is on the way of every check.
        let dialect = self.dialect.as_ref()?;
        match crate::check::claimed_purpose(raw) {
            None => Some(Ok(Arc::clone(dialect))),
            Some(purpose) => self.is_dropped(&purpose).then_some(Err(Refused::Malformed)),
        }
    }

    /// Whether it is a refresh token with time left, of a dialect that is taken. Whether it was used up is not asked.
    pub fn look_at_refresh(&self, raw: &str) -> Result<(), Refused> {
        if let Some(dialect) = self.theirs(raw) {
            return decoded(&dialect, raw, Some("refresh")).map(drop);
        }
        if self.is_dropped("refresh") {
            return Err(Refused::Malformed);
        }
        self.tokens.check::<crate::purpose::Refresh>(raw).map(drop)
    }

    /// Whom a token for `P` with time left names, of either dialect. Whether it was used up or revoked is not asked.
    pub fn named_by<P: Purpose>(&self, raw: &str) -> Option<String> {
        if let Some(dialect) = self.theirs(raw) {
            let (payload, kind) = decoded(&dialect, raw, Some(P::NAME)).ok()?;
            return Some(described(&dialect, &payload, &kind).claims.subject);
        }
        Some(self.tokens.check::<P>(raw).ok()?.claims.subject)
    }

    async fn look_closely(
        &self,
        dialect: &Arc<Dialect>,
        raw: &str,
        purpose: Option<&str>,
    ) -> Result<AnyToken, Refused> {
        let (payload, kind) = decoded(dialect, raw, purpose)?;
        let mut token = described(dialect, &payload, &kind);
        let calls = kind == "access" || (kind == "sliding" && purpose == Some("access"));
        if calls && dialect.is_former(&token.claims.subject) {
            let account = self.account(dialect, &token.claims.subject).await?;
            token.claims.subject = account.ok_or(Refused::Revoked)?.subject;
        }
        if kind == "access" {
            self.revocations.refuse(&as_news(&token.claims)).await?;
            if dialect.asks_each_time() {
                self.user_stands(dialect, &payload, &token.claims.subject).await?;
            }
            return Ok(token);
        }
        if kind == "sliding" && purpose == Some("access") {
            self.revocations.refuse(&as_news(&token.claims)).await?;
            self.user_stands(dialect, &payload, &token.claims.subject).await?;
        }
        let (jti, subject, iat) = (
            token.claims.jti.clone(),
            token.claims.subject.clone(),
            token.claims.issued_at,
        );
        self.store
            .read("look_at_token", |tx| {
                Box::pin(async move { stands(tx, &jti, &subject, iat, &kind).await })
            })
            .await?;
        Ok(token)
    }

    /// One of theirs, used up if it is one-time and `consume`. `None`: it goes by our rules.
    pub(crate) async fn use_theirs(
        &self,
        tx: &mut Tx<'_>,
        raw: &str,
        purpose: Option<&str>,
        consume: bool,
    ) -> Option<Result<AnyToken, Refused>> {
        Some(match self.of_theirs(raw)? {
            Ok(dialect) => use_up(tx, &dialect, raw, purpose, consume).await,
            Err(refused) => Err(refused),
        })
    }

    async fn account(&self, dialect: &Arc<Dialect>, subject: &str) -> Result<Option<Account>, Refused> {
        let (user, theirs) = (subject.to_owned(), Arc::clone(dialect));
        let found = self.store.read("look_at_user", |tx| {
            Box::pin(async move { theirs.account(tx, &user).await })
        });
        Ok(found.await?)
    }

    /// Whether the user is there, may be here, and still has the password that the token was made under.
    async fn user_stands(
        &self,
        dialect: &Arc<Dialect>,
        payload: &Payload,
        subject: &str,
    ) -> Result<(), Refused> {
        if !dialect.knows_accounts() {
            return Ok(());
        }
        let found = self.account(dialect, subject).await?;
        let stands = found.is_some_and(|account| {
            (account.active || !dialect.jwt.settings().check_user_is_active)
                && dialect.jwt.password_stands(payload, &account.password)
        });
        if stands { Ok(()) } else { Err(Refused::Revoked) }
    }
}

async fn use_up(
    tx: &mut Tx<'_>,
    dialect: &Dialect,
    raw: &str,
    purpose: Option<&str>,
    consume: bool,
) -> Result<AnyToken, Refused> {
    let (payload, kind) = decoded(dialect, raw, purpose)?;
    let token = described(dialect, &payload, &kind);
    let claims = &token.claims;
    stands(tx, &claims.jti, &claims.subject, claims.issued_at, &kind).await?;
    if consume && token.purpose.one_time {
        let row = outstanding(dialect, &payload, raw, tx.now(), claims.expires_at);
        if !blacklisted_tokens::insert(tx, &row).await? {
            return Err(Refused::Used);
        }
    }
    Ok(token)
}

/// In simplejwt's order, without the blacklist: a token that is dead in two ways may be told the other one.
fn decoded(dialect: &Dialect, raw: &str, purpose: Option<&str>) -> Result<(Payload, String), Refused> {
    let jwt = &dialect.jwt;
    let payload = jwt.decode(raw).map_err(|error| refusal(&error))?;
    let claimed = jwt.kind_of(&payload).unwrap_or_default().to_owned();
    // What an access token may do, a token of any of AUTH_TOKEN_CLASSES may.
    let wanted = match purpose {
        Some("access") if jwt.settings().auth_token_types.contains(&claimed) => claimed,
        Some(purpose) => purpose.to_owned(),
        None => claimed,
    };
    if jwt.kind(&wanted).is_none() {
        return Err(Refused::Malformed);
    }
    let checked = jwt.jti(&payload).and_then(|_| jwt.verify(&payload, &wanted));
    checked.map_err(|error| refusal(&error))?;
    Ok((payload, wanted))
}

async fn stands(tx: &mut Tx<'_>, jti: &str, subject: &str, iat: i64, kind: &str) -> Result<(), Refused> {
    if blacklisted_tokens::contains(tx, jti).await? || blacklist::reason(tx, jti).await?.is_some() {
        let session = cut::class_of_kind(kind) == "session" && kind != "socket";
        return Err(if session { Refused::Revoked } else { Refused::Used });
    }
    if iat < cut::lowest(tx, subject, cut::class_of_kind(kind)).await? {
        return Err(Refused::Revoked);
    }
    Ok(())
}

/// The same in the words of every other token here.
fn described(dialect: &Dialect, payload: &Payload, kind: &str) -> AnyToken {
    let jwt = &dialect.jwt;
    let settings = jwt.settings();
    let jti = jwt.jti(payload).unwrap_or_default().to_owned();
    let known = [
        Some("exp"),
        Some("iat"),
        Some("nbf"),
        Some("aud"),
        Some("iss"),
        Some("jti"),
        Some(settings.user_id_claim.as_str()),
        Some(settings.revoke_token_claim.as_str()),
        Some(settings.sliding_token_refresh_exp_claim.as_str()),
        settings.token_type_claim.as_deref(),
        settings.jti_claim.as_deref(),
    ];
    let extra: Map<String, Value> = match payload.get("ext") {
        Some(Value::Object(extra)) => extra.clone(),
        _ => payload
            .iter()
            .filter(|(name, _)| !known.contains(&Some(name)))
            .map(|(name, value)| (name.to_owned(), value.clone()))
            .collect(),
    };
    let spec = jwt.kind(kind);
    AnyToken {
        purpose: PurposeSpec {
            name: if kind == "sliding" { "access" } else { kind }.to_owned(),
            lifetime: spec.as_ref().map(|kind| kind.lifetime).unwrap_or_default(),
            one_time: spec.is_some_and(|kind| kind.blacklisted) && !matches!(kind, "refresh" | "sliding"),
        },
        claims: Claims {
            subject: jwt
                .user_id(payload)
                .map(|user| user.to_string())
                .unwrap_or_default(),
            session: Some(SessionRef {
                sid: family::of(&jti).to_string(),
                rotation: 0,
            }),
            jti,
            issued_at: jwt.issued_at(payload).unwrap_or(0),
            expires_at: jwt.expires_at(payload).unwrap_or_default(),
            generation: None,
            keep_until: None,
        },
        extra,
    }
}

/// As the view of what is revoked has it: the second takes the place of the generation.
fn as_news(claims: &Claims) -> Claims {
    Claims {
        subject: cut::news_key(&claims.subject),
        generation: Some(claims.issued_at),
        ..claims.clone()
    }
}

/// What a token that stands in our table says it is.
pub(crate) fn unproven_kind(jwt: &SimpleJwt, raw: &str) -> Option<String> {
    let payload = raw.split('.').nth(1)?;
    let payload: Payload = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).ok()?).ok()?;
    jwt.kind_of(&payload).map(str::to_owned)
}

/// simplejwt's check of a token that has a blacklist: what it is, whether it is blacklisted, then the rest.
pub(crate) async fn check_listed(
    tx: &mut Tx<'_>,
    dialect: &Dialect,
    raw: &str,
    kind: &str,
) -> Result<Result<Payload, TokenError>, gatepost_storage::Error> {
    let jwt = &dialect.jwt;
    let payload = match jwt.decode(raw) {
        Ok(payload) => payload,
        Err(error) => return Ok(Err(error)),
    };
    let jti = match jwt.jti(&payload) {
        Ok(jti) => jti.to_owned(),
        Err(error) => return Ok(Err(error)),
    };
    if blacklisted_tokens::contains(tx, &jti).await? {
        return Ok(Err(TokenError::Blacklisted));
    }
    if let Err(error) = jwt.verify(&payload, kind) {
        return Ok(Err(error));
    }
    if let Some(user) = jwt.user_id(&payload) {
        let lowest = cut::lowest(tx, &user.to_string(), cut::class_of_kind(kind)).await?;
        if jwt.issued_at(&payload).unwrap_or(0) < lowest {
            return Ok(Err(TokenError::Blacklisted));
        }
    }
    Ok(Ok(payload))
}
