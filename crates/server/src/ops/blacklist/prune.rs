//! `gatepost blacklist prune`.

use std::time::Instant;

use gatepost_storage::{blacklist, sweeper};

use crate::ops::context::Context;
use crate::ops::failure::Failure;
use crate::ops::words;

/// Rows a transaction, so that nobody waits long for a lock.
const BATCH: i64 = 500;

pub(super) async fn run(context: &Context) -> Result<(), Failure> {
    let (_, store) = context.store().await?;
    let (_, expired) = store
        .read("count_blacklist", |tx| Box::pin(blacklist::count(tx)))
        .await?;
    let mut pruned: u64 = 0;
    loop {
        let began = Instant::now();
        let some = store
            .run_tx("prune_blacklist", |tx| {
                Box::pin(async move { blacklist::sweep(tx, BATCH).await })
            })
            .await?;
        pruned += some;
        if some < BATCH.unsigned_abs() {
            break;
        }
        context.progress(&format!("{pruned} of {expired} deleted"));
        tokio::time::sleep(sweeper::rest_after(began.elapsed())).await;
    }
    context.progress("");
    context.answer(&serde_json::json!({ "pruned": pruned }), || {
        format!("{} deleted", words::count(pruned, "expired token"))
    })
}
