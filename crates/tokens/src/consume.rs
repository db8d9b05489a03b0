//! Using a token: once if it is one-time, in the transaction of what it permits.

use gatepost_storage::{Conn, Store, Timestamp, Tx, blacklist, generations, sessions};
use uuid::Uuid;

use crate::claims::{AnyToken, Claims, Token};
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
        let token = self.tokens.check::<P>(raw)?;
        if P::NAME == Access::NAME {
            self.stands(&token.claims).await?;
        } else {
            look(
                &self.store,
                self.tokens.keyed::<P>().spec.clone(),
                token.claims.clone(),
            )
            .await?;
        }
        Ok(token)
    }

    /// The token, whatever it is for, if it counts. Uses nothing up.
    pub async fn validate_any(&self, raw: &str) -> Result<AnyToken, Refused> {
        let token = self.tokens.check_any(raw)?;
        if token.purpose.name == Access::NAME {
            self.stands(&token.claims).await?;
        } else {
            look(&self.store, token.purpose.clone(), token.claims.clone()).await?;
        }
        Ok(token)
    }

    /// The access token, if it counts. While the view of what is revoked is fresh, this asks no database; only the
    /// first access token after a rotation is written down (see [`refresh`](Self::refresh)).
    pub async fn check_access(&self, raw: &str) -> Result<Token<Access>, Refused> {
        let token = self.tokens.check::<Access>(raw)?;
        self.stands(&token.claims).await?;
        Ok(token)
    }

    async fn stands(&self, claims: &Claims) -> Result<(), Refused> {
        self.revocations.refuse(claims).await?;
        self.sights.note(&self.store, claims).await
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Use {
    Consume,
    Look,
}

async fn look(store: &Store, spec: PurposeSpec, claims: Claims) -> Result<(), Refused> {
    store
        .read("look_at_token", |tx| {
            Box::pin(async move { settle(tx, &spec, &claims, Use::Look).await })
        })
        .await
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
