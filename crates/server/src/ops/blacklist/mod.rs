//! `gatepost blacklist`: what was used up or revoked and would still be alive.

mod count;
mod prune;

use super::context::Context;
use super::failure::Failure;

/// What can be done.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// How many tokens are on it, and how many of them have expired since
    #[command(after_help = "Example:\n  gatepost blacklist count --json")]
    Count,
    /// Delete what has expired; the program does so by itself, too
    #[command(after_help = "Example:\n  gatepost blacklist prune")]
    Prune,
}

pub(super) async fn run(context: &Context, command: Command) -> Result<(), Failure> {
    match command {
        Command::Count => count::run(context).await,
        Command::Prune => prune::run(context).await,
    }
}
