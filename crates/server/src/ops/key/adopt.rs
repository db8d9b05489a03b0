//! `gatepost key adopt`.

use gatepost_storage::{Error, audit};

use crate::app::App;
use crate::ops::ask;
use crate::ops::context::Context;
use crate::ops::failure::Failure;

/// Options of `key adopt`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  gatepost key adopt --yes\n\n\
    What the old secret signed or sealed lives on only if it stands in tokens.previous_secrets.")]
pub(in crate::ops) struct Args {
    /// It is meant
    #[arg(long)]
    yes: bool,
}

pub(super) async fn run(context: &Context, args: Args) -> Result<(), Failure> {
    ask::consent(
        args.yes,
        "end every session, and make every link and sealed letter useless, of secrets that the configuration \
         no longer has",
    )?;
    let (config, store) = context.store().await?;
    App::adopt_secret(&config, &store).await?;
    store
        .run_tx("note_adopted", |tx| {
            Box::pin(async move {
                audit::note(tx, "cli", "key.adopted", None, serde_json::json!({})).await?;
                Ok::<_, Error>(())
            })
        })
        .await?;
    context.answer(&serde_json::json!({ "adopted": true }), || {
        "adopted; start the program again".to_owned()
    })
}
