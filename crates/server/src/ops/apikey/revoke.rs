//! `gatepost apikey revoke`.

use gatepost_storage::{Error, audit};

use crate::ops::ask;
use crate::ops::context::Context;
use crate::ops::failure::Failure;
use crate::service::api_key;

/// Options of `apikey revoke`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  gatepost apikey revoke shop --yes")]
pub(in crate::ops) struct Args {
    /// What people call it
    name: String,
    /// It is meant
    #[arg(long)]
    yes: bool,
}

pub(super) async fn run(context: &Context, args: Args) -> Result<(), Failure> {
    ask::consent(args.yes, "shut out whoever uses this 1 key, at once")?;
    let (_, store) = context.store().await?;
    let revoked = store
        .run_tx("revoke_api_key", move |tx| {
            let name = args.name.clone();
            Box::pin(async move {
                let revoked = api_key::revoke(tx, &name).await?;
                if revoked {
                    let detail = serde_json::json!({ "name": name });
                    audit::note(tx, "cli", "api_key.revoked", None, detail).await?;
                }
                Ok::<_, Error>(revoked)
            })
        })
        .await?;
    if !revoked {
        return Err(Failure::no(
            "there is no living key of that name; `gatepost apikey list` shows them",
        ));
    }
    context.answer(&serde_json::json!({ "revoked": true }), || "revoked".to_owned())
}
