//! Forgetting what no living token needs, so that the tables stay as small as what is alive.

use std::time::{Duration, Instant};

use gatepost_storage::{Error, Tx, TxFuture, blacklist, generations, revocation_log, sessions, sweeper};

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
    /// Forgets what has expired, `batch` rows a transaction so that nobody waits long for a lock.
    pub async fn sweep(&self, batch: i64) -> Result<Swept, ServiceError> {
        let batch = batch.max(1);
        #[cfg(feature = "simplejwt")]
        if self.simplejwt().is_some() {
            self.drain("sweep_outstanding", batch, move |tx| {
                Box::pin(gatepost_storage::outstanding_tokens::sweep(tx, batch))
            })
            .await?;
        }
        Ok(Swept {
            blacklist: self
                .drain("sweep_blacklist", batch, move |tx| {
                    Box::pin(blacklist::sweep(tx, batch))
                })
                .await?,
            revocations: self
                .drain("sweep_revocations", batch, move |tx| {
                    Box::pin(revocation_log::sweep(tx, batch))
                })
                .await?,
            sessions: self
                .drain("sweep_sessions", batch, move |tx| {
                    Box::pin(sweep_sessions(tx, batch))
                })
                .await?,
            generations: self
                .drain("sweep_generations", batch, move |tx| {
                    Box::pin(sweep_generations(tx, batch))
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

    async fn drain<F>(&self, name: &'static str, batch: i64, sweep: F) -> Result<u64, Error>
    where
        F: for<'a> FnMut(&'a mut Tx<'_>) -> TxFuture<'a, u64, Error> + Clone + Send + 'static,
    {
        let mut all = 0;
        loop {
            let mut sweep = sweep.clone();
            let began = Instant::now();
            let gone = self.store.run_tx(name, move |tx| sweep(tx)).await?;
            all += gone;
            if gone < u64::try_from(batch).unwrap_or(u64::MAX) {
                return Ok(all);
            }
            tokio::time::sleep(sweeper::rest_after(began.elapsed())).await;
        }
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
