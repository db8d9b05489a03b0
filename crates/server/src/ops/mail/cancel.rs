//! `gatepost mail cancel`.

use uuid::Uuid;

use crate::letters;
use crate::ops::ask;
use crate::ops::context::Context;
use crate::ops::failure::Failure;
use crate::ops::words::count;

/// Options of `mail cancel`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  gatepost mail cancel 0198c0de-7e57-7000-8000-000000000000\n  \
    gatepost mail cancel --template newsletter --yes"
)]
pub(in crate::ops) struct Args {
    /// The deliveries' ids
    #[arg(required_unless_present = "template", conflicts_with = "template")]
    ids: Vec<Uuid>,
    /// All letters of this template that wait or are put off
    #[arg(long)]
    template: Option<String>,
    /// It is meant
    #[arg(long, requires = "template")]
    yes: bool,
}

pub(super) async fn run(context: &Context, args: Args) -> Result<(), Failure> {
    let app = context.app().await?;
    let cancelled = if let Some(template) = args.template {
        let waiting = app.mailer.cancellable(&template).await?.unsigned_abs();
        let templates = app.mailer.templates();
        if waiting == 0 && !templates.has(&template) {
            // Letters of a template that was taken away may still wait; a name mistyped must not look like success.
            return Err(super::templates::unknown(templates, &template));
        }
        let what = format!("cancel {} of {template}", count(waiting, "letter"));
        ask::consent(args.yes, &what)?;
        letters::cancel_template(&app, &template, "cli").await?
    } else {
        for id in &args.ids {
            letters::cancel(&app, *id, "cli").await?;
        }
        args.ids.len() as u64
    };
    context.answer(&serde_json::json!({ "cancelled": cancelled }), || {
        format!("{} cancelled", count(cancelled, "letter"))
    })
}
