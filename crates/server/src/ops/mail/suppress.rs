//! `gatepost mail suppress`: addresses that are left alone.

use gatepost_mail::EmailAddress;

use crate::letters;
use crate::ops::context::Context;
use crate::ops::failure::Failure;
use crate::ops::words::{relative, table};

/// What can be done.
#[derive(Debug, clap::Subcommand)]
pub(in crate::ops) enum Command {
    /// Addresses that are left alone, newest first
    #[command(after_help = "Example:\n  gatepost mail suppress list --limit 500")]
    List {
        /// How many at most
        #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=500))]
        limit: u32,
    },
    /// Leave an address alone: nothing goes there but one account letter a day
    #[command(after_help = "Example:\n  gatepost mail suppress add ann@example.com --reason 'asked us to'")]
    Add {
        /// Which
        address: EmailAddress,
        /// Why, for whoever wonders later
        #[arg(long, default_value = "by hand")]
        reason: String,
    },
    /// Write to an address again
    #[command(after_help = "Example:\n  gatepost mail suppress remove ann@example.com")]
    Remove {
        /// Which
        address: EmailAddress,
    },
}

pub(super) async fn run(context: &Context, command: Command) -> Result<(), Failure> {
    let app = context.app().await?;
    match command {
        Command::List { limit } => {
            let items = app.mailer.suppressions(limit).await?;
            let now = app.now();
            context.answer(&serde_json::json!({ "items": items }), || {
                if items.is_empty() {
                    return "There is none.".to_owned();
                }
                let rows: Vec<_> = items
                    .iter()
                    .map(|s| {
                        vec![
                            s.to.clone(),
                            s.source.clone(),
                            relative(s.created_at, now),
                            s.reason.clone(),
                        ]
                    })
                    .collect();
                table(&["ADDRESS", "BY", "SINCE", "WHY"], &rows)
            })
        }
        Command::Add { address, reason } => {
            let news = letters::suppress(&app, &address, &reason, "cli").await?;
            context.answer(&serde_json::json!({ "suppressed": true, "news": news }), || {
                let already = if news { "" } else { " already" };
                format!("{} is{already} left alone", address.masked())
            })
        }
        Command::Remove { address } => {
            if !letters::unsuppress(&app, &address, "cli").await? {
                return Err(Failure::no(format!(
                    "{} was not suppressed; `gatepost mail why ADDRESS` tells what became of its letters",
                    address.masked()
                )));
            }
            context.answer(&serde_json::json!({ "suppressed": false }), || {
                format!("{} is written to again", address.masked())
            })
        }
    }
}
