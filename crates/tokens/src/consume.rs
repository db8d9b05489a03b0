//! Using a token: once if it is one-time, in the transaction of what it permits.

use std::ops::Deref;

use gatepost_storage::{Conn, Timestamp, Tx, TxFuture, blacklist, generations, sessions};
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

    /// As [`verify`](Self::verify), in a transaction of its own: for who has nothing to write together with the use. What
    /// most links are (one-time, of no session) then takes one journey to PostgreSQL, not three.
    pub async fn verify_alone<P: Purpose>(&self, raw: &str) -> Result<Token<P>, Refused> {
        let verified = self.verify_alone_uncounted::<P>(raw).await;
        self.counts.note(P::NAME, Op::Verify, verified)
    }

    async fn verify_alone_uncounted<P: Purpose>(&self, raw: &str) -> Result<Token<P>, Refused> {
        if !self.may_settle_alone() {
            let (service, text) = (self.clone(), raw.to_owned());
            return self
                .store
                .run_tx("verify_token", move |tx| {
                    let (service, text) = (service.clone(), text.clone());
                    Box::pin(async move { service.verify_uncounted::<P>(tx, &text).await })
                })
                .await;
        }
        let token = self.check_knowing(raw, &|| self.tokens.check::<P>(raw)).await?;
        let spec = self.tokens.keyed::<P>().spec.clone();
        self.settle_alone(spec, token.claims.clone()).await?;
        Ok(token)
    }

    /// As [`verify_alone`](Self::verify_alone) for a purpose that is only known at run time.
    pub async fn verify_named_alone(&self, raw: &str, purpose: &str) -> Result<AnyToken, Refused> {
        let verified = self.verify_named_alone_uncounted(raw, purpose).await;
        self.counts.note(purpose, Op::Verify, verified)
    }

    async fn verify_named_alone_uncounted(&self, raw: &str, purpose: &str) -> Result<AnyToken, Refused> {
        if !self.may_settle_alone() {
            let (service, text, purpose) = (self.clone(), raw.to_owned(), purpose.to_owned());
            return self
                .store
                .run_tx("verify_token", move |tx| {
                    let (service, text, purpose) = (service.clone(), text.clone(), purpose.clone());
                    Box::pin(async move { service.verify_named_uncounted(tx, &text, &purpose, true).await })
                })
                .await;
        }
        let token = self.check_knowing(raw, &|| self.tokens.check_any(raw)).await?;
        if token.purpose.name != purpose {
            return Err(Refused::WrongPurpose);
        }
        self.settle_alone(token.purpose.clone(), token.claims.clone())
            .await?;
        Ok(token)
    }

    /// Whether a token can be judged before the database is asked: the keys are known, and no other dialect's rules hold.
    fn may_settle_alone(&self) -> bool {
        #[cfg(feature = "simplejwt")]
        if self.dialect.is_some() {
            return false;
        }
        !self.revocations.is_old()
    }

    async fn settle_alone(&self, spec: PurposeSpec, claims: Claims) -> Result<(), Refused> {
        let one_statement = spec.one_time && claims.session.is_none() && claims.generation.is_some();
        if one_statement {
            self.store.run_one("verify_token", use_it(spec, claims)).await
        } else {
            self.store.run_tx("verify_token", use_it(spec, claims)).await
        }
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

/// [`settle`], to be run by a store.
fn use_it(
    spec: PurposeSpec,
    claims: Claims,
) -> impl for<'a> FnMut(&'a mut Tx<'_>) -> TxFuture<'a, (), Refused> + Send + 'static {
    move |tx| {
        let (spec, claims) = (spec.clone(), claims.clone());
        Box::pin(async move { settle(tx, &spec, &claims, Use::Consume).await })
    }
}

/// Asks the tables whether the token counts, and uses it up if it is to be.
async fn settle(tx: &mut Tx<'_>, spec: &PurposeSpec, claims: &Claims, how: Use) -> Result<(), Refused> {
    // A letter that was sent twice has a twin of this token, which may live longer.
    let until = Timestamp::from_secs(claims.expires_at.max(claims.keep_until.unwrap_or(0)));
    let use_up = how == Use::Consume && spec.one_time;
    // Whether this call used it up.
    let won = match claims.generation {
        // What most links are: nothing else is to be asked before they are used.
        Some(generation) if use_up && claims.session.is_none() => {
            let token = blacklist::Use {
                jti: &claims.jti,
                expires_at: until,
                subject: &claims.subject,
                class: spec.class(),
                generation,
            };
            match blacklist::use_up(tx, &token).await? {
                blacklist::Used::Outdated => return Err(outdated(tx, claims).await?),
                used => used == blacklist::Used::Won,
            }
        }
        generation => {
            if let Some(generation) = generation
                && generation < generations::current(tx, &claims.subject, spec.class()).await?
            {
                return Err(outdated(tx, claims).await?);
            }
            session_stands(tx, spec, claims, how).await?;
            use_up && blacklist::insert(tx, &claims.jti, "used", until).await?
        }
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

/// Why a token of an older generation is refused. What it permits may raise the generation above its own (a new password
/// does): whoever presses twice is told that it was used.
async fn outdated(tx: &mut Tx<'_>, claims: &Claims) -> Result<Refused, gatepost_storage::Error> {
    let used = blacklist::reason(tx, &claims.jti).await?.as_deref() == Some("used");
    Ok(if used { Refused::Used } else { Refused::Revoked })
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
