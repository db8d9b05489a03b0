//! `gatepost config`: what holds, and what is wrong with it.

mod check;
mod show;

use super::context::Context;
use super::failure::Failure;

/// What can be asked.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Every key with its value and where it came from; secrets masked
    #[command(after_help = "Example:\n  gatepost config show | grep -v default")]
    Show,
    /// What is wrong, by name; exit 1 if something is
    #[command(after_help = "Example:\n  gatepost --config /etc/gatepost.toml config check")]
    Check,
}

pub(super) fn run(context: &Context, command: &Command) -> Result<(), Failure> {
    match command {
        Command::Show => show::run(context),
        Command::Check => check::run(context),
    }
}
