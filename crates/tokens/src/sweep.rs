//! Forgetting what no living token needs, so that the tables stay as small as what is alive.

use std::time::Duration;

use gatepost_storage::{Error, Tx, blacklist, generations, revocation_log, sessions};

use crate::error::ServiceError;
use crate::purpose::MAX_LIFETIME;
use crate::service::TokenService;

/// Sessions are kept for a day after their refresh token expired: the last access tokens die before that.
const SESSIONS_FOR: Duration = Duration::from_hours(24);

/// How many rows were forgotten.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Swept {
    /// Tokens that had been used or revoked and have expired since.
    pub blacklist: u64,
    /// News that can refuse nothing any more.
    pub revocations: u64,
    /// Sessions that are over.
    pub sessions: u64,
    /// Generations below which no token can be alive.
    pub generations: u64,
}

impl TokenService {
    /// Forgets what has expired, in small transactions with rests between, so that nobody waits long for a lock.
    ///
    /// # Errors
    /// The database's. What was forgotten before stays forgotten.
    pub async fn sweep(&self) -> Result<Swept, ServiceError> {
        #[cfg(feature = "simplejwt")]
        if self.simplejwt().is_some() {
            self.store
                .sweep("sweep_outstanding", |tx, limit| {
                    Box::pin(gatepost_storage::outstanding_tokens::sweep(tx, limit))
                })
                .await?;
        }
        Ok(Swept {
            blacklist: self
                .store
                .sweep_found(
                    "sweep_blacklist",
                    |tx, limit| Box::pin(blacklist::expired(tx, limit)),
                    |tx, rows| Box::pin(async move { blacklist::forget(tx, &rows).await }),
                    |_| {},
                )
                .await?,
            revocations: self
                .store
                .sweep_found(
                    "sweep_revocations",
                    |tx, limit| Box::pin(revocation_log::expired(tx, limit)),
                    |tx, ids| Box::pin(async move { revocation_log::forget(tx, &ids).await }),
                    |_| {},
                )
                .await?,
            sessions: self
                .store
                .sweep("sweep_sessions", |tx, limit| Box::pin(sweep_sessions(tx, limit)))
                .await?,
            generations: self
                .store
                .sweep("sweep_generations", |tx, limit| {
                    Box::pin(sweep_generations(tx, limit))
                })
                .await?,
        })
    }

    /// How many tokens are remembered as used or revoked, and how many of them have expired already.
    pub async fn blacklist_count(&self) -> Result<(i64, i64), ServiceError> {
        Ok(self
            .store
            .read("blacklist_count", |tx| Box::pin(blacklist::count(tx)))
            .await?)
    }
}

async fn sweep_sessions(tx: &mut Tx<'_>, batch: i64) -> Result<u64, Error> {
    let before = tx.now() - SESSIONS_FOR;
    sessions::sweep(tx, before, batch).await
}

async fn sweep_generations(tx: &mut Tx<'_>, batch: i64) -> Result<u64, Error> {
    // No token lives longer, so none that was made before the row was raised is alive; a day for good measure.
    let before = tx.now() - MAX_LIFETIME - Duration::from_hours(24);
    generations::sweep(tx, before, batch).await
}
