//! `gatepost admin reset EMAIL`.

use gatepost_mail::EmailAddress;
use gatepost_storage::{Error, admins, audit};

use crate::console::administrators;
use crate::ops::ask;
use crate::ops::context::Context;
use crate::ops::failure::Failure;

pub(super) async fn run(context: &Context, email: EmailAddress, yes: bool) -> Result<(), Failure> {
    ask::consent(
        yes,
        "take the password of 1 administrator away and end his console sessions",
    )?;
    let (config, store) = context.store().await?;
    let link = store
        .run_tx("reset_admin", move |tx| {
            let canonical = email.canonical();
            Box::pin(async move {
                let Some(admin) = admins::by_canonical(tx, &canonical).await? else {
                    return Ok::<_, Error>(None);
                };
                admins::clear_password(tx, admin.id).await?;
                admins::drop_links(tx, Some(admin.id)).await?;
                audit::note(
                    tx,
                    "cli",
                    "admin.reset",
                    Some(&admin.id.to_string()),
                    serde_json::json!({}),
                )
                .await?;
                administrators::make_link(tx, "cli", Some(admin.id))
                    .await
                    .map(Some)
            })
        })
        .await?;
    match link {
        Some(link) => super::print_link(context, &config, &link),
        None => Err(Failure::no(
            "there is no administrator of that address; `gatepost admin list` shows them",
        )),
    }
}
