//! `gatepost queue replay`.

use gatepost_messaging::DeadReason;
use gatepost_storage::audit;
use serde_json::json;
use uuid::Uuid;

use crate::ops::context::Context;
use crate::ops::failure::Failure;
use crate::ops::words::count;
use crate::queues::{Desk, Named};

/// Options of `queue replay`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  gatepost queue replay email_queue\n  gatepost queue replay billing --reason attempts\n  \
    gatepost queue replay billing --id 0198c0de-7e57-7000-8000-000000000000\n\nLook at them first: gatepost queue peek NAME.dead"
)]
pub(in crate::ops) struct Args {
    /// The queue
    name: String,
    /// Only this one
    #[arg(long, conflicts_with = "reason")]
    id: Option<Uuid>,
    /// Only those that died of this: failed, attempts, `crash_loop`, expired or malformed
    #[arg(long)]
    reason: Option<DeadReason>,
}

pub(super) async fn run(context: &Context, args: Args) -> Result<(), Failure> {
    let app = context.app().await?;
    let queue = Named::parse(&args.name).queue;
    let replayed = Desk::new(&app).replay(&queue, args.id, args.reason).await?;
    if replayed == 0 && args.id.is_some() {
        return Err(Failure::no(format!(
            "there is no such dead letter of {queue}; `gatepost queue peek {queue}.dead` shows them"
        )));
    }
    let detail = json!({"queue": queue, "what": {"replayed": replayed, "id": args.id}});
    app.store
        .run_tx("note_queue", move |tx| {
            let detail = detail.clone();
            Box::pin(async move { audit::note(tx, "cli", "dead_letters.replayed", None, detail).await })
        })
        .await?;
    context.answer(&json!({ "replayed": replayed }), || {
        format!("{} put back on {queue}", count(replayed, "dead letter"))
    })
}
