//! `gatepost blacklist count`.

use gatepost_storage::blacklist;

use crate::ops::context::Context;
use crate::ops::failure::Failure;

pub(super) async fn run(context: &Context) -> Result<(), Failure> {
    let (_, store) = context.store().await?;
    let (all, expired) = store
        .read("count_blacklist", |tx| {
            Box::pin(async move { blacklist::count(tx).await })
        })
        .await?;
    context.answer(&serde_json::json!({ "count": all, "expired": expired }), || {
        format!("{all} on the blacklist, {expired} of them expired")
    })
}
