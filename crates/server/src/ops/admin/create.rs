//! `gatepost admin create EMAIL`.

use gatepost_mail::EmailAddress;
use gatepost_storage::{Error, admins, audit, new_id};

use crate::console::administrators;
use crate::ops::context::Context;
use crate::ops::failure::Failure;

pub(super) async fn run(context: &Context, email: EmailAddress) -> Result<(), Failure> {
    let (config, store) = context.store().await?;
    let link = store
        .run_tx("create_admin", move |tx| {
            let email = email.clone();
            Box::pin(async move {
                let id = new_id(tx.now());
                if !admins::insert(tx, id, email.as_str(), &email.canonical()).await? {
                    return Ok::<_, Error>(None);
                }
                audit::note(
                    tx,
                    "cli",
                    "admin.created",
                    Some(&id.to_string()),
                    serde_json::json!({}),
                )
                .await?;
                administrators::make_link(tx, "cli", Some(id)).await.map(Some)
            })
        })
        .await?;
    match link {
        Some(link) => super::print_link(context, &config, &link),
        None => Err(Failure::no(
            "there is an administrator of that address; `gatepost admin reset` gives a new link",
        )),
    }
}
