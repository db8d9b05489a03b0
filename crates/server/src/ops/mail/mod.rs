//! `gatepost mail`: letters and what became of them.

mod list;
mod preview;
mod send;
mod show;

use super::context::Context;
use super::failure::Failure;

/// What can be done.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Put a mail on the queue
    Send(send::Args),
    /// Deliveries, newest first
    List(list::Args),
    /// One delivery with everything that happened to it
    #[command(after_help = "Example:\n  gatepost mail show 0198c0de-7e57-7000-8000-000000000000")]
    Show {
        /// The delivery's id
        id: uuid::Uuid,
    },
    /// Render a template with its sample, as text
    Preview(preview::Args),
}

pub(super) async fn run(context: &Context, command: Command) -> Result<(), Failure> {
    match command {
        Command::Send(args) => send::run(context, args).await,
        Command::List(args) => list::run(context, args).await,
        Command::Show { id } => show::run(context, id).await,
        Command::Preview(args) => preview::run(context, &args).await,
    }
}
