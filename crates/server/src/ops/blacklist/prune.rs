//! `gatepost blacklist prune`.

use gatepost_storage::blacklist;

use crate::ops::context::Context;
use crate::ops::failure::Failure;
use crate::ops::words;

/// Rows a transaction, so that nobody waits long for a lock.
const BATCH: i64 = 1000;

pub(super) async fn run(context: &Context) -> Result<(), Failure> {
    let (_, store) = context.store().await?;
    let mut pruned: u64 = 0;
    loop {
        let some = store
            .run_tx("prune_blacklist", |tx| {
                Box::pin(async move { blacklist::sweep(tx, BATCH).await })
            })
            .await?;
        pruned += some;
        if some < BATCH.unsigned_abs() {
            break;
        }
        context.progress(&format!("{pruned} deleted"));
    }
    context.progress("");
    context.answer(&serde_json::json!({ "pruned": pruned }), || {
        format!("{} deleted", words::count(pruned, "expired token"))
    })
}
