//! `gatepost blacklist prune`.

use std::pin::pin;

use gatepost_storage::{Error, Store, blacklist, new_id};

use crate::ops::context::Context;
use crate::ops::failure::Failure;
use crate::ops::words;
use crate::sweep::lease;

pub(super) async fn run(context: &Context) -> Result<(), Failure> {
    let (_, store) = context.store().await?;
    // Nobody counts before how many there are: that takes longer, and hinders others more, than a thousand batches.
    let pruning = store.sweep_found(
        "prune_blacklist",
        |tx, limit| Box::pin(blacklist::expired(tx, limit)),
        |tx, rows| Box::pin(async move { blacklist::forget(tx, &rows).await }),
        |pruned| context.progress(&format!("{pruned} deleted")),
    );
    let pruned = alone(&store, pruning).await?;
    context.progress("");
    context.answer(&serde_json::json!({ "pruned": pruned }), || {
        format!("{} deleted", words::count(pruned, "expired token"))
    })
}

/// Keeps others from sweeping meanwhile: two at once would take twice as much from whoever verifies. If somebody is at it
/// already, this goes on beside him.
async fn alone<T>(store: &Store, pruning: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    let (now, mut pruning) = (store.now(), pin!(pruning));
    let holder = new_id(now);
    if !lease::take(store, holder, now).await? {
        return pruning.await;
    }
    let pruned = tokio::select! {
        pruned = &mut pruning => pruned,
        () = lease::lost(store, holder) => pruning.await,
    };
    lease::give_back(store, holder, false).await?;
    pruned
}
