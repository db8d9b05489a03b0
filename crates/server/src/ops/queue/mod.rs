//! `gatepost queue`: any queue, dead letters included.

mod declare;
mod discard;
mod list;
mod peek;
mod publish;
mod replay;

use super::context::Context;
use super::failure::Failure;

/// What can be done.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// How full each queue is, how old, and how many died
    #[command(after_help = "Example:\n  gatepost queue list --json")]
    List,
    /// Make exchanges, queues and bindings on RabbitMQ, and say what stands there otherwise
    #[command(
        after_help = "Example:\n  gatepost queue declare\n\nExit 1 if anything stands otherwise than it is configured. \
        Nothing that stands is ever changed or deleted."
    )]
    Declare,
    /// Put a message on a queue
    Publish(publish::Args),
    /// Look at messages, or with .dead after the name at dead letters
    Peek(peek::Args),
    /// Put dead letters back on their queue
    Replay(replay::Args),
    /// Delete a dead letter for good
    Discard(discard::Args),
}

pub(super) async fn run(context: &Context, command: Command) -> Result<(), Failure> {
    match command {
        Command::List => list::run(context).await,
        Command::Declare => declare::run(context).await,
        Command::Publish(args) => publish::run(context, args).await,
        Command::Peek(args) => peek::run(context, args).await,
        Command::Replay(args) => replay::run(context, args).await,
        Command::Discard(args) => discard::run(context, args).await,
    }
}
