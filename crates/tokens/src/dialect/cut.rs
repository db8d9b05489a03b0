//! Ending theirs: one by one on the blacklist that both programs read, all of a user's by a second.

use gatepost_storage::outstanding_tokens::NewOutstanding;
use gatepost_storage::revocation_log::{self, News};
use gatepost_storage::{
    Timestamp, Tx, blacklist, blacklisted_tokens, generations, outstanding_tokens, sessions,
};
use uuid::Uuid;

use super::{Dialect, family, take};
use crate::error::ServiceError;
use crate::purpose::class_of;
use crate::service::TokenService;
use crate::sessions::EndReason;

/// The class of a cut that counts for every kind of token.
pub(crate) const EVERY_KIND: &str = "*";

/// The row of the table of generations, and the key of the news, for a kind of theirs.
fn class(name: &str) -> String {
    format!("iat {name}")
}

/// Under which name the view of what is revoked has the cuts of a user's sessions.
pub(crate) fn news_key(subject: &str) -> String {
    format!("iat {subject}")
}

/// The class that cuts tokens of this kind.
pub(crate) fn class_of_kind(kind: &str) -> &str {
    if kind == "sliding" {
        "session"
    } else {
        class_of(kind)
    }
}

/// The first second whose tokens of this class count for the user.
pub(crate) async fn lowest(
    tx: &mut Tx<'_>,
    subject: &str,
    class_name: &str,
) -> Result<i64, gatepost_storage::Error> {
    let every = generations::current(tx, subject, &class(EVERY_KIND)).await?;
    let own = generations::current(tx, subject, &class(class_name)).await?;
    Ok(every.max(own))
}

impl TokenService {
    /// Kills every token of theirs of this class that was made up to this second: by the time it carries, and on the
    /// blacklist, so that Django refuses what it would ask the blacklist for.
    pub(crate) async fn cut_theirs(
        &self,
        tx: &mut Tx<'_>,
        subject: &str,
        class_name: &str,
    ) -> Result<(), ServiceError> {
        let Some(dialect) = &self.dialect else {
            return Ok(());
        };
        for name in dialect.names(tx, subject).await? {
            self.cut_name(tx, dialect, &name, class_name).await?;
        }
        Ok(())
    }

    async fn cut_name(
        &self,
        tx: &mut Tx<'_>,
        dialect: &Dialect,
        subject: &str,
        class_name: &str,
    ) -> Result<(), ServiceError> {
        let first = tx.now().as_secs().saturating_add(1);
        generations::raise(tx, subject, &class(class_name), first).await?;
        let with_sessions = matches!(class_name, "session" | EVERY_KIND);
        if with_sessions {
            let key = news_key(subject);
            let news = News {
                kind: "subject",
                key: &key,
                generation: Some(first),
                expires_at: self.news_until(tx),
            };
            revocation_log::insert(tx, &news).await?;
            for row in sessions::list(tx, subject, 0).await? {
                if family::is_one(row.id) {
                    blacklist_bare(tx, subject, row.jti, row.expires_at).await?;
                }
            }
        }
        for row in outstanding_tokens::living(tx, subject).await? {
            // Its own signature is not asked for: it only says what kind of token is blacklisted.
            let kind = take::unproven_kind(&dialect.jwt, &row.token);
            if class_name == EVERY_KIND || kind.is_some_and(|kind| class_of_kind(&kind) == class_name) {
                let until = tx.now();
                blacklist_bare(tx, subject, row.jti, until).await?;
            }
        }
        Ok(())
    }

    /// Blacklists the current refresh token of a family that ended.
    pub(crate) async fn blacklist_current(&self, tx: &mut Tx<'_>, sid: Uuid) -> Result<(), ServiceError> {
        if self.dialect.is_some()
            && family::is_one(sid)
            && let Some(row) = sessions::get(tx, sid).await?
        {
            blacklist_bare(tx, &row.subject, row.jti, row.expires_at).await?;
        }
        Ok(())
    }

    /// Kills one of theirs; `None` if it is not theirs.
    pub(crate) async fn kill_theirs(
        &self,
        tx: &mut Tx<'_>,
        raw: &str,
        reason: EndReason,
    ) -> Result<Option<bool>, ServiceError> {
        let Some(dialect) = self.theirs(raw) else {
            return Ok(None);
        };
        let Ok(payload) = dialect.jwt.decode(raw) else {
            return Ok(Some(false));
        };
        if dialect.jwt.verify_untyped(&payload).is_err() {
            return Ok(Some(false));
        }
        let jwt = &dialect.jwt;
        let (Ok(jti), Some(exp)) = (jwt.jti(&payload), jwt.expires_at(&payload)) else {
            return Ok(Some(false));
        };
        let expires_at = Timestamp::from_secs(exp);
        if jwt.kind_of(&payload) == Some("access") {
            let won = blacklist::insert(tx, jti, "revoked", expires_at).await?;
            if won {
                let news = News {
                    kind: "token",
                    key: jti,
                    generation: None,
                    expires_at,
                };
                revocation_log::insert(tx, &news).await?;
            }
            return Ok(Some(won));
        }
        let won =
            blacklisted_tokens::insert(tx, &outstanding(&dialect, &payload, raw, tx.now(), exp)).await?;
        if won && jwt.kind_of(&payload) == Some("refresh") {
            self.end_family(tx, jti, reason).await?;
        }
        Ok(Some(won))
    }

    /// Ends the family of a refresh token, so that the access tokens made with it die as well.
    pub(crate) async fn end_family(
        &self,
        tx: &mut Tx<'_>,
        jti: &str,
        reason: EndReason,
    ) -> Result<(), ServiceError> {
        self.end_session_in(tx, None, family::of(jti), reason).await?;
        Ok(())
    }
}

/// The row that Django writes for a token.
pub(crate) fn outstanding(
    dialect: &Dialect,
    payload: &crate::simplejwt::Payload,
    raw: &str,
    now: Timestamp,
    exp: i64,
) -> NewOutstanding {
    NewOutstanding {
        user: dialect.jwt.user_id(payload).map(|user| user.to_string()),
        jti: dialect.jwt.jti(payload).unwrap_or_default().to_owned(),
        token: raw.to_owned(),
        created_at: now,
        expires_at: Timestamp::from_secs(exp),
    }
}

/// By its identity alone. Where Django knew nothing of the token (before 5.5.0 it forgot those it rotated), the row
/// has no token in it.
async fn blacklist_bare(
    tx: &mut Tx<'_>,
    subject: &str,
    jti: String,
    expires_at: Timestamp,
) -> Result<bool, ServiceError> {
    let bare = NewOutstanding {
        user: Some(subject.to_owned()),
        jti,
        token: String::new(),
        created_at: tx.now(),
        expires_at,
    };
    Ok(blacklisted_tokens::insert(tx, &bare).await?)
}
