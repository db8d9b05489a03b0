//! `gatepost key`: the secret that signs.

mod adopt;

use super::context::Context;
use super::failure::Failure;

/// What can be done.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Accept the configured secret, although the database knows another
    Adopt(adopt::Args),
}

pub(super) async fn run(context: &Context, command: Command) -> Result<(), Failure> {
    match command {
        Command::Adopt(args) => adopt::run(context, args).await,
    }
}
