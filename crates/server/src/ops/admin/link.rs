//! `gatepost admin link`.

use gatepost_storage::{Error, admins};

use crate::console::administrators;
use crate::ops::context::Context;
use crate::ops::failure::Failure;

pub(super) async fn run(context: &Context) -> Result<(), Failure> {
    let (config, store) = context.store().await?;
    let link = store
        .run_tx("link_admin", |tx| {
            Box::pin(async move {
                if admins::count_set_up(tx).await? > 0 {
                    return Ok::<_, Error>(None);
                }
                administrators::make_link(tx, "cli", None).await.map(Some)
            })
        })
        .await?;
    match link {
        Some(link) => super::print_link(context, &config, &link),
        None => Err(Failure::no(
            "there is an administrator already; add another with `gatepost admin create EMAIL`, \
             or give one a new link with `gatepost admin reset EMAIL`",
        )),
    }
}
