//! `gatepost blacklist prune`.

use std::convert::Infallible;
use std::time::Duration;

use gatepost_storage::{Error, Store, blacklist, new_id, sweeper};
use uuid::Uuid;

use crate::ops::context::Context;
use crate::ops::failure::Failure;
use crate::ops::words;

/// How long the program beside us leaves the sweeping to this command after it was last heard of, and how often it is.
const LEASE: Duration = Duration::from_secs(60);
const RENEW: Duration = Duration::from_secs(15);

pub(super) async fn run(context: &Context) -> Result<(), Failure> {
    let (_, store) = context.store().await?;
    // Nobody counts before how many there are: that takes longer, and hinders others more, than a thousand batches.
    let pruning = store.sweep_found(
        "prune_blacklist",
        |tx, limit| Box::pin(blacklist::expired(tx, limit)),
        |tx, rows| Box::pin(async move { blacklist::forget(tx, &rows).await }),
        |pruned| context.progress(&format!("{pruned} deleted")),
    );
    let pruned: Result<u64, Error> = alone(&store, pruning).await;
    let pruned = pruned?;
    context.progress("");
    context.answer(&serde_json::json!({ "pruned": pruned }), || {
        format!("{} deleted", words::count(pruned, "expired token"))
    })
}

/// Keeps others from sweeping meanwhile: two at once would take twice as much from whoever verifies. If somebody is at it
/// already, this goes on beside him.
async fn alone<T>(store: &Store, pruning: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    let holder = new_id(store.now());
    let taken = store
        .run_tx("take_sweep", move |tx| {
            Box::pin(async move {
                let now = tx.now();
                sweeper::take(tx, holder, now + LEASE, now).await
            })
        })
        .await?;
    if !taken {
        return pruning.await;
    }
    let pruned = tokio::select! {
        pruned = pruning => pruned,
        never = keep(store, holder) => match never {},
    };
    store
        .run_tx("give_sweep_back", move |tx| {
            Box::pin(sweeper::give_back(tx, holder, false))
        })
        .await?;
    pruned
}

/// Keeps the lease.
async fn keep(store: &Store, holder: Uuid) -> Infallible {
    loop {
        tokio::time::sleep(RENEW).await;
        let renewed = store.run_tx("keep_sweep", move |tx| {
            Box::pin(async move { sweeper::renew(tx, holder, tx.now() + LEASE).await })
        });
        // The next batch meets the same database.
        if let Err(error) = renewed.await {
            tracing::debug!(%error, "the sweep's lease could not be renewed");
        }
    }
}
