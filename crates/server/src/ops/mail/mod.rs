//! `gatepost mail`: letters and what became of them.

mod cancel;
mod check;
mod eject;
mod list;
mod pause;
mod preview;
mod resend;
mod send;
mod show;
mod suppress;
mod templates;
mod why;

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
    /// What became of an address's letters, in sentences
    #[command(after_help = "Example:\n  gatepost mail why ann@example.com")]
    Why {
        /// Whose
        address: gatepost_mail::EmailAddress,
    },
    /// Send a letter again that has ended: a new delivery
    #[command(after_help = "Example:\n  gatepost mail resend 0198c0de-7e57-7000-8000-000000000000")]
    Resend {
        /// The delivery's id
        id: uuid::Uuid,
    },
    /// Take back letters that nobody began to send
    Cancel(cancel::Args),
    /// Let letters wait, everywhere, within a second; nothing is lost
    Pause(pause::Pause),
    /// Let letters go on
    Resume(pause::Resume),
    /// Addresses that are left alone
    #[command(subcommand)]
    Suppress(suppress::Command),
    /// Render a template with its sample, as text, as HTML, or as a whole message
    Preview(preview::Args),
    /// Render all templates with their samples, and name what is missing
    #[command(after_help = "Example:\n  gatepost mail check")]
    Check,
    /// Write a built-in template to your folder, to change it
    Eject(eject::Args),
}

pub(super) async fn run(context: &Context, command: Command) -> Result<(), Failure> {
    match command {
        Command::Send(args) => send::run(context, args).await,
        Command::List(args) => list::run(context, args).await,
        Command::Show { id } => show::run(context, id).await,
        Command::Why { address } => why::run(context, address).await,
        Command::Resend { id } => resend::run(context, id).await,
        Command::Cancel(args) => cancel::run(context, args).await,
        Command::Pause(args) => pause::pause(context, args).await,
        Command::Resume(args) => pause::resume(context, args).await,
        Command::Suppress(command) => suppress::run(context, command).await,
        Command::Preview(args) => preview::run(context, &args),
        Command::Check => check::run(context),
        Command::Eject(args) => eject::run(context, &args),
    }
}
