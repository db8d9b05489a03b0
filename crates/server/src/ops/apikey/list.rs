//! `gatepost apikey list`.

use crate::ops::context::Context;
use crate::ops::failure::Failure;
use crate::ops::words::{relative, table};
use crate::service::api_key;

pub(super) async fn run(context: &Context) -> Result<(), Failure> {
    let (_, store) = context.store().await?;
    let keys = store
        .read("list_api_keys", |tx| {
            Box::pin(async move { api_key::list(tx).await })
        })
        .await?;
    let now = store.now();
    let items: Vec<_> = keys
        .iter()
        .map(|key| {
            let scopes: Vec<&str> = key.scopes.split_whitespace().collect();
            serde_json::json!({
                "id": key.id, "name": key.name, "scopes": scopes, "created_at": key.created_at,
                "last_used_at": key.last_used_at, "revoked_at": key.revoked_at,
            })
        })
        .collect();
    context.answer(&serde_json::json!({ "items": items }), || {
        if keys.is_empty() {
            return "There is none yet. `gatepost apikey create NAME --scope mail:send` makes one."
                .to_owned();
        }
        let rows: Vec<_> = keys
            .iter()
            .map(|key| {
                let used = key
                    .last_used_at
                    .map_or_else(|| "never".to_owned(), |at| relative(at, now));
                let state = key.revoked_at.map_or_else(
                    || "good".to_owned(),
                    |at| format!("revoked {}", relative(at, now)),
                );
                vec![
                    key.name.clone(),
                    state,
                    relative(key.created_at, now),
                    used,
                    key.scopes.clone(),
                ]
            })
            .collect();
        table(&["NAME", "STATE", "MADE", "USED", "SCOPES"], &rows)
    })
}
