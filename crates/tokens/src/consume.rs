//! Using a token: once if it is one-time, in the transaction of what it permits.

use std::ops::Deref;

use gatepost_storage::{Conn, Timestamp, Tx, blacklist, generations, sessions};
use uuid::Uuid;

use crate::claims::{AnyToken, Claims, Token};
use crate::counts::Op;
use crate::error::Refused;
use crate::purpose::{Access, Purpose, PurposeSpec, Refresh};
use crate::service::TokenService;

impl TokenService {
    /// The token, if it counts; a one-time token is used up by this, in the caller's transaction.
    ///
    /// Of any number of callers one wins, on every database: to use a token is to insert its `jti`, and the winner
    /// is whose row went in. If the transaction is rolled back, the token is still good.
    pub async fn verify<'c, P: Purpose>(
        &self,
        conn: impl Into<Conn<'c>>,
        raw: &str,
    ) -> Result<Token<P>, Refused> {
        let mut tx = self.store.join(conn)?;
        self.verify_in::<P>(&mut tx, raw).await
    }

    /// As [`verify`](Self::verify), inside [`run_tx`](gatepost_storage::Store::run_tx).
    pub async fn verify_in<P: Purpose>(&self, tx: &mut Tx<'_>, raw: &str) -> Result<Token<P>, Refused> {
        let verified = self.verify_uncounted::<P>(tx, raw).await;
        self.counts.note(P::NAME, Op::Verify, verified)
    }

    async fn verify_uncounted<P: Purpose>(&self, tx: &mut Tx<'_>, raw: &str) -> Result<Token<P>, Refused> {
        #[cfg(feature = "simplejwt")]
        if let Some(token) = self.use_theirs(tx, raw, Some(P::NAME), true).await {
            return token.and_then(AnyToken::into_typed);
        }
        self.read_keys_for(tx, raw).await?;
        let token = self.tokens.check::<P>(raw)?;
        settle(tx, &self.tokens.keyed::<P>().spec, &token.claims, Use::Consume).await?;
        Ok(token)
    }

    /// As [`verify_in`](Self::verify_in) for a purpose that is only known at run time. Nothing is used up unless
    /// `consume`.
    pub async fn verify_named_in(
        &self,
        tx: &mut Tx<'_>,
        raw: &str,
        purpose: &str,
        consume: bool,
    ) -> Result<AnyToken, Refused> {
        let op = if consume { Op::Verify } else { Op::Check };
        let verified = self.verify_named_uncounted(tx, raw, purpose, consume).await;
        self.counts.note(purpose, op, verified)
    }

    async fn verify_named_uncounted(
        &self,
        tx: &mut Tx<'_>,
        raw: &str,
        purpose: &str,
        consume: bool,
    ) -> Result<AnyToken, Refused> {
        #[cfg(feature = "simplejwt")]
        if let Some(token) = self.use_theirs(tx, raw, Some(purpose), consume).await {
            return token;
        }
        self.read_keys_for(tx, raw).await?;
        let token = self.tokens.check_any(raw)?;
        if token.purpose.name != purpose {
            return Err(Refused::WrongPurpose);
        }
        settle(
            tx,
            &token.purpose,
            &token.claims,
            if consume { Use::Consume } else { Use::Look },
        )
        .await?;
        Ok(token)
    }

    /// The token, if [`verify`](Self::verify) would take it now. Uses nothing up.
    pub async fn peek<P: Purpose>(&self, raw: &str) -> Result<Token<P>, Refused> {
        let checked = self.peek_uncounted::<P>(raw).await;
        self.counts.note(P::NAME, Op::Check, checked)
    }

    async fn peek_uncounted<P: Purpose>(&self, raw: &str) -> Result<Token<P>, Refused> {
        #[cfg(feature = "simplejwt")]
        if let Some(token) = self.look_at_theirs(raw, Some(P::NAME)).await {
            return token.and_then(AnyToken::into_typed);
        }
        let check = || self.tokens.check::<P>(raw);
        if P::NAME == Access::NAME {
            return self.check_standing(raw, check).await;
        }
        let token = self.check_knowing(raw, &check).await?;
        self.look(&self.tokens.keyed::<P>().spec, &token).await?;
        Ok(token)
    }

    /// The token, whatever it is for, if it counts. Uses nothing up.
    pub async fn validate_any(&self, raw: &str) -> Result<AnyToken, Refused> {
        let checked = self.validate_uncounted(raw).await;
        let purpose = checked
            .as_ref()
            .map_or("", |token| token.purpose.name.as_str())
            .to_owned();
        self.counts.note(&purpose, Op::Check, checked)
    }

    async fn validate_uncounted(&self, raw: &str) -> Result<AnyToken, Refused> {
        #[cfg(feature = "simplejwt")]
        if let Some(token) = self.look_at_theirs(raw, None).await {
            return token;
        }
        let check = || self.tokens.check_any(raw);
        let turn = self.tokens.ring_turn();
        let token = self.check_knowing(raw, &check).await?;
        if token.purpose.name == Access::NAME {
            return self.stand(turn, token, check).await;
        }
        self.look(&token.purpose, &token).await?;
        Ok(token)
    }

    /// The access token, if it counts. While the view of what is revoked is fresh, this asks no database; only the
    /// first access token after a rotation is written down (see [`refresh`](Self::refresh)).
    pub async fn check_access(&self, raw: &str) -> Result<Token<Access>, Refused> {
        let checked = self.check_uncounted(raw).await;
        self.counts.note(Access::NAME, Op::Check, checked)
    }

    async fn check_uncounted(&self, raw: &str) -> Result<Token<Access>, Refused> {
        #[cfg(feature = "simplejwt")]
        if let Some(token) = self.look_at_theirs(raw, Some(Access::NAME)).await {
            return token.and_then(AnyToken::into_typed);
        }
        self.check_standing(raw, || self.tokens.check::<Access>(raw))
            .await
    }

    /// The check of an access token, against news that are a second old at most: of the token, and of its key.
    async fn check_standing<T: Deref<Target = Claims>>(
        &self,
        raw: &str,
        check: impl Fn() -> Result<T, Refused>,
    ) -> Result<T, Refused> {
        let turn = self.tokens.ring_turn();
        let token = self.check_knowing(raw, &check).await?;
        self.stand(turn, token, check).await
    }

    /// Whether the token, which was checked when the ring had turned so often, stands.
    async fn stand<T: Deref<Target = Claims>>(
        &self,
        turn: u64,
        mut token: T,
        check: impl Fn() -> Result<T, Refused>,
    ) -> Result<T, Refused> {
        self.revocations.refuse(&token).await?;
        if turn != self.tokens.ring_turn() {
            // The reading has just brought other keys: this one's may be retired.
            token = check()?;
        }
        self.sights.note(&self.store, &token).await?;
        Ok(token)
    }

    /// The check, and once more with the keys of now if the token asks for one that this instance may only not have
    /// heard of yet.
    async fn check_knowing<T>(
        &self,
        raw: &str,
        check: &impl Fn() -> Result<T, Refused>,
    ) -> Result<T, Refused> {
        let checked = check();
        if matches!(checked, Err(Refused::Malformed))
            && self.tokens.asks_for_unknown_key(raw)
            && self.revocations.look_again().await
        {
            return check();
        }
        checked
    }

    /// Reads the keys in the caller's transaction, if they may have changed: by now, or by this token's word.
    pub(crate) async fn read_keys_for(
        &self,
        tx: &mut Tx<'_>,
        raw: &str,
    ) -> Result<(), gatepost_storage::Error> {
        if self.revocations.is_old() || self.tokens.asks_for_unknown_key(raw) {
            self.revocations.read_keys_now_in(tx).await?;
        }
        Ok(())
    }

    async fn look(&self, spec: &PurposeSpec, claims: &Claims) -> Result<(), Refused> {
        let (spec, claims) = (spec.clone(), claims.clone());
        self.store
            .read("look_at_token", |tx| {
                Box::pin(async move { settle(tx, &spec, &claims, Use::Look).await })
            })
            .await
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Use {
    Consume,
    Look,
}

/// Asks the tables whether the token counts, and uses it up if it is to be.
async fn settle(tx: &mut Tx<'_>, spec: &PurposeSpec, claims: &Claims, how: Use) -> Result<(), Refused> {
    if let Some(generation) = claims.generation
        && generation < generations::current(tx, &claims.subject, spec.class()).await?
    {
        // What a token permits may raise the generation above its own (a new password does): whoever presses twice
        // is told that it was used.
        let used = blacklist::reason(tx, &claims.jti).await?.as_deref() == Some("used");
        return Err(if used { Refused::Used } else { Refused::Revoked });
    }
    session_stands(tx, spec, claims, how).await?;
    let won = if how == Use::Consume && spec.one_time {
        // A letter that was sent twice has a twin of this token, which may live longer.
        let until = claims.expires_at.max(claims.keep_until.unwrap_or(0));
        blacklist::insert(tx, &claims.jti, "used", Timestamp::from_secs(until)).await?
    } else {
        false
    };
    if won {
        return Ok(());
    }
    match blacklist::reason(tx, &claims.jti).await?.as_deref() {
        None => Ok(()),
        Some("used") => Err(Refused::Used),
        Some(_) => Err(Refused::Revoked),
    }
}

async fn session_stands(
    tx: &mut Tx<'_>,
    spec: &PurposeSpec,
    claims: &Claims,
    how: Use,
) -> Result<(), Refused> {
    let Some(session) = &claims.session else {
        return Ok(());
    };
    let sid: Uuid = session.sid.parse().map_err(|_| Refused::Malformed)?;
    let row = sessions::get(tx, sid)
        .await?
        .filter(|row| row.ended_at.is_none() && row.subject == claims.subject);
    // Ended, swept, or of a time that a restored database has forgotten.
    let row = row
        .filter(|row| session.rotation <= row.rotation)
        .ok_or(Refused::Revoked)?;
    if spec.name == Refresh::NAME {
        // The current token, or the previous one while it may ask again.
        let current = session.rotation == row.rotation && claims.jti == row.jti;
        let previous = row.previous_jti.as_ref() == Some(&claims.jti);
        return if current || previous {
            Ok(())
        } else {
            Err(Refused::Revoked)
        };
    }
    if how == Use::Consume && session.rotation == row.rotation && row.seen_at.is_none() {
        sessions::mark_seen(tx, sid, session.rotation).await?;
    }
    Ok(())
}
