//! `gatepost mail list`.

use gatepost_mail::{EmailAddress, ListFilter};
use uuid::Uuid;

use crate::ops::context::Context;
use crate::ops::failure::Failure;
use crate::ops::words::{relative, table};

/// Options of `mail list`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  gatepost mail list --state failed\n  gatepost mail list --to ann@example.com"
)]
pub(in crate::ops) struct Args {
    /// Only in this state
    #[arg(long, value_parser = crate::service::mail::list::STATES)]
    state: Option<String>,
    /// Only to this address
    #[arg(long, value_name = "ADDRESS")]
    to: Option<EmailAddress>,
    /// Only of this template
    #[arg(long)]
    template: Option<String>,
    /// How many at most
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=500))]
    limit: u32,
    /// Go on after this id
    #[arg(long, value_name = "ID")]
    after: Option<Uuid>,
}

pub(super) async fn run(context: &Context, args: Args) -> Result<(), Failure> {
    let app = context.app().await?;
    let filter = ListFilter {
        state: args.state,
        template: args.template,
        to: args.to,
        after: args.after,
        limit: args.limit,
    };
    let deliveries = app.mailer.list(&filter).await?;
    let next = deliveries
        .last()
        .filter(|_| deliveries.len() == args.limit as usize)
        .map(|d| d.id);
    let now = app.now();
    let pauses = app.mailer.pauses().await?;
    if !pauses.is_empty() {
        context.aside(&super::pause::lines(&pauses, now));
    }
    let value = serde_json::json!({ "items": deliveries, "next": next, "paused": pauses });
    context.answer(&value, || {
        if deliveries.is_empty() {
            return "There is none.".to_owned();
        }
        let rows: Vec<_> = deliveries
            .iter()
            .map(|d| {
                let to = d.to.clone().unwrap_or_else(|| "not known yet".to_owned());
                let reply = d.reply.clone().unwrap_or_default();
                vec![
                    d.id.to_string(),
                    d.state.clone(),
                    relative(d.updated_at, now),
                    d.template.clone(),
                    to,
                    reply,
                ]
            })
            .collect();
        let more = next
            .map(|id| format!("\ngo on with --after {id}"))
            .unwrap_or_default();
        table(&["ID", "STATE", "SINCE", "TEMPLATE", "TO", "REPLY"], &rows) + &more
    })
}
