//! `gatepost apikey`: keys for other programs.

mod create;
mod list;
mod revoke;

use super::context::Context;
use super::failure::Failure;

/// What can be done.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Make a key; it is shown this once
    Create(create::Args),
    /// Which there are
    #[command(after_help = "Example:\n  gatepost apikey list")]
    List,
    /// Let a key be used no more
    Revoke(revoke::Args),
}

pub(super) async fn run(context: &Context, command: Command) -> Result<(), Failure> {
    match command {
        Command::Create(args) => create::run(context, args).await,
        Command::List => list::run(context).await,
        Command::Revoke(args) => revoke::run(context, args).await,
    }
}
