//! The lease of whoever sweeps: held by one at a time, and free a while after its holder was last heard of.

use std::time::Duration;

use gatepost_storage::{Error, Store, Timestamp, sweeper};
use uuid::Uuid;

/// How long nobody else sweeps after the holder was last heard of.
const LEASE: Duration = Duration::from_secs(60);
/// How often it is heard of.
const RENEW: Duration = Duration::from_secs(15);

/// Takes it, unless somebody else holds it or has come to the end of a sweep after `done_since`.
pub(crate) async fn take(store: &Store, holder: Uuid, done_since: Timestamp) -> Result<bool, Error> {
    let until = store.now() + LEASE;
    store
        .run_tx("take_sweep", move |tx| {
            Box::pin(sweeper::take(tx, holder, until, done_since))
        })
        .await
}

/// Keeps it; ends when it is somebody else's.
pub(crate) async fn lost(store: &Store, holder: Uuid) {
    loop {
        tokio::time::sleep(RENEW).await;
        let until = store.now() + LEASE;
        let renewed = store.run_tx("keep_sweep", move |tx| {
            Box::pin(sweeper::renew(tx, holder, until))
        });
        match renewed.await {
            Ok(true) => {}
            Ok(false) => return,
            // The sweep itself will meet the same database.
            Err(error) => tracing::debug!(%error, "the sweep's lease could not be renewed"),
        }
    }
}

/// Gives it back, at the end of a sweep if it was `finished`.
pub(crate) async fn give_back(store: &Store, holder: Uuid, finished: bool) -> Result<bool, Error> {
    store
        .run_tx("give_sweep_back", move |tx| {
            Box::pin(sweeper::give_back(tx, holder, finished))
        })
        .await
}
