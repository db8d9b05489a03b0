//! Refreshing: each refresh token has one successor, a lost answer can be asked for again, a stolen token is found out.

use std::cmp::Ordering;

use gatepost_storage::{Tx, generations, sessions};
use uuid::Uuid;

use crate::counts::Op;
use crate::error::{Refused, ServiceError, Unavailable};
use crate::purpose::{Purpose as _, Refresh};
use crate::service::TokenService;
use crate::sessions::{EndReason, Grant};

/// What comes of a refresh token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rotation {
    /// The next tokens.
    Granted(Grant),
    /// The token had its turn long ago and its successor was seen: two hold this session. It ended just now; tell
    /// the user.
    Reuse(Reuse),
    /// The token does not count.
    Refused(Refused),
}

/// A session that ended because an old refresh token came back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reuse {
    /// Whose it was.
    pub subject: String,
    /// The session.
    pub sid: Uuid,
}

/// One call loses at most one race that matters: the loser then holds the previous token.
const TRIES: u32 = 3;

impl TokenService {
    /// The next tokens of a session, in a transaction of its own. Reuse is told as [`Refused::Revoked`]; who wants to
    /// write a letter about it takes [`refresh_in`](Self::refresh_in).
    ///
    /// The current token gets its successor. The previous one gets the *same* successor as long as that was not seen
    /// (neither it nor an access token given with it was presented), and for 10 s after the rotation even if it was
    /// (RFC 9700 4.14.2 and FAPI 2.0's rule of retries, both kept). Any other token of the session ends it, but one
    /// from the future of a restored database, which is only refused.
    pub async fn refresh(&self, raw: &str) -> Result<Grant, Refused> {
        let (service, raw) = (self.clone(), raw.to_owned());
        let rotation = self
            .store
            .run_tx("refresh", move |tx| {
                let (service, raw) = (service.clone(), raw.clone());
                Box::pin(async move { service.refresh_in(tx, &raw).await })
            })
            .await;
        match rotation {
            Ok(Rotation::Granted(grant)) => Ok(grant),
            Ok(Rotation::Reuse(_)) => Err(Refused::Revoked),
            Ok(Rotation::Refused(refused)) => Err(refused),
            Err(error) => Err(Refused::Unavailable(Unavailable::new(error))),
        }
    }

    /// As [`refresh`](Self::refresh), in the caller's transaction, which must commit in every case that is `Ok`:
    /// after [`Rotation::Reuse`] the end of the session is in it.
    pub async fn refresh_in(&self, tx: &mut Tx<'_>, raw: &str) -> Result<Rotation, ServiceError> {
        let rotation = self.refresh_uncounted(tx, raw).await;
        match rotation {
            Ok(Rotation::Reuse(_)) => self.counts.reuse(Refresh::NAME),
            Ok(Rotation::Refused(ref refused)) => {
                let _: Result<(), _> = self.counts.note(Refresh::NAME, Op::Refresh, Err(refused.clone()));
            }
            rotation => return self.counts.note_service(Refresh::NAME, Op::Refresh, rotation),
        }
        rotation
    }

    async fn refresh_uncounted(&self, tx: &mut Tx<'_>, raw: &str) -> Result<Rotation, ServiceError> {
        #[cfg(feature = "simplejwt")]
        if let Some(rotation) = self.refresh_theirs(tx, raw).await? {
            return Ok(rotation);
        }
        self.refresh_ours(tx, raw).await
    }

    pub(crate) async fn refresh_ours(&self, tx: &mut Tx<'_>, raw: &str) -> Result<Rotation, ServiceError> {
        let refused = |reason| Ok(Rotation::Refused(reason));
        self.revocations.read_keys_in(tx).await?;
        let token = match self.tokens.check::<Refresh>(raw) {
            Ok(token) => token,
            Err(reason) => return refused(reason),
        };
        let Some((sid, rotation)) = token
            .session
            .as_ref()
            .and_then(|session| Some((session.sid.parse().ok()?, session.rotation)))
        else {
            return refused(Refused::Malformed);
        };
        let generation = generations::current(tx, &token.subject, "session").await?;
        if token.generation.is_none_or(|own| own < generation) {
            return refused(Refused::Revoked);
        }
        let now = tx.now();
        for _ in 0..TRIES {
            let Some(row) = sessions::get(tx, sid).await? else {
                return refused(Refused::Revoked);
            };
            if row.ended_at.is_some() || row.subject != token.subject {
                return refused(Refused::Revoked);
            }
            if row.absolute_at <= now {
                return refused(Refused::Expired);
            }
            match rotation.cmp(&row.rotation) {
                Ordering::Equal if row.jti == token.jti => {
                    let next = self.next_tokens(now, row.absolute_at)?;
                    if !sessions::rotate(tx, sid, rotation, &token.jti, &next).await? {
                        // Somebody else rotated or ended it in between: look again.
                        continue;
                    }
                    let Some(row) = sessions::get(tx, sid).await? else {
                        return refused(Refused::Revoked);
                    };
                    return Ok(Rotation::Granted(self.grant(&row, now)?));
                }
                Ordering::Less
                    if rotation == row.rotation - 1 && row.previous_jti.as_ref() == Some(&token.jti) =>
                {
                    if row.seen_at.is_none() || now < row.rotated_at + self.limits.retry_window {
                        return Ok(Rotation::Granted(self.grant(&row, now)?));
                    }
                    return self.reused(tx, sid, token.claims.subject).await;
                }
                Ordering::Less if rotation < row.rotation - 1 => {
                    return self.reused(tx, sid, token.claims.subject).await;
                }
                // Its place in the session is another token's, or is still to come: the database was set back to an
                // earlier day. That is nobody's theft.
                _ => return refused(Refused::Revoked),
            }
        }
        refused(Refused::Unavailable(Unavailable::new(
            "the session was being rotated all the while",
        )))
    }

    async fn reused(&self, tx: &mut Tx<'_>, sid: Uuid, subject: String) -> Result<Rotation, ServiceError> {
        if self
            .end_session_in(tx, Some(&subject), sid, EndReason::Reuse)
            .await?
        {
            return Ok(Rotation::Reuse(Reuse { subject, sid }));
        }
        Ok(Rotation::Refused(Refused::Revoked))
    }
}
