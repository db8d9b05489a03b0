//! `gatepost admin list`.

use gatepost_storage::admins;

use crate::ops::context::Context;
use crate::ops::failure::Failure;
use crate::ops::words::{relative, table};

pub(super) async fn run(context: &Context) -> Result<(), Failure> {
    let (_, store) = context.store().await?;
    let admins = store
        .read("list_admins", |tx| {
            Box::pin(async move { admins::list(tx).await })
        })
        .await?;
    let now = store.now();
    let items: Vec<_> = admins
        .iter()
        .map(|a| {
            serde_json::json!({
                "id": a.id, "email": a.email, "set_up": a.password_hash.is_some(),
                "created_at": a.created_at, "last_login_at": a.last_login_at,
            })
        })
        .collect();
    context.answer(&serde_json::json!({ "items": items }), || {
        if admins.is_empty() {
            return "There is none yet. `gatepost admin link` prints a link for the first one.".to_owned();
        }
        let rows: Vec<_> = admins
            .iter()
            .map(|a| {
                let state = if a.password_hash.is_some() {
                    "set up"
                } else {
                    "waits for the link"
                };
                let login = a
                    .last_login_at
                    .map_or_else(|| "never".to_owned(), |at| relative(at, now));
                vec![
                    a.email.clone(),
                    state.to_owned(),
                    relative(a.created_at, now),
                    login,
                ]
            })
            .collect();
        table(&["EMAIL", "STATE", "ADDED", "LAST LOGIN"], &rows)
    })
}
