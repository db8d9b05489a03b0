//! `gatepost queue discard`.

use gatepost_storage::audit;
use serde_json::json;
use uuid::Uuid;

use crate::ops::ask;
use crate::ops::context::Context;
use crate::ops::failure::Failure;
use crate::queues::{Desk, Named};

/// Options of `queue discard`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  gatepost queue discard billing 0198c0de-7e57-7000-8000-000000000000 --yes"
)]
pub(in crate::ops) struct Args {
    /// The queue
    name: String,
    /// The dead letter
    id: Uuid,
    /// It is meant
    #[arg(long)]
    yes: bool,
}

pub(super) async fn run(context: &Context, args: Args) -> Result<(), Failure> {
    ask::consent(args.yes, "delete 1 dead letter for ever")?;
    let app = context.app().await?;
    let queue = Named::parse(&args.name).queue;
    if !Desk::new(&app).discard(&queue, args.id).await? {
        return Err(Failure::no(format!(
            "there is no such dead letter of {queue}; `gatepost queue peek {queue}.dead` shows them"
        )));
    }
    let detail = json!({"queue": queue, "what": {"id": args.id}});
    app.store
        .run_tx("note_queue", move |tx| {
            let detail = detail.clone();
            Box::pin(async move { audit::note(tx, "cli", "dead_letter.discarded", None, detail).await })
        })
        .await?;
    context.answer(&json!({ "id": args.id, "discarded": true }), || "gone".to_owned())
}
