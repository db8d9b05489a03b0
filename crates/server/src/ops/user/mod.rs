//! `gatepost user`: accounts.

mod create;
mod delete;
mod django_source;
mod export;
mod find;
mod import;
mod invite;
mod list;
mod sessions;
mod set_active;
mod set_password;
mod show;

use super::context::Context;
use super::failure::Failure;

/// What can be done. A user is named by id or address.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Make an account, without a letter; its password comes from the terminal or standard input
    Create(create::Args),
    /// Make an account for somebody, who opens it by the link of a letter
    Invite(invite::Args),
    /// Accounts, in the order in which they were made
    List(list::Args),
    /// Take over the users of a Django project, with their passwords
    Import(import::Args),
    /// Give the accounts back to a Django project
    Export(export::Args),
    /// One account
    #[command(after_help = "Example:\n  gatepost user show ann@example.com")]
    Show {
        /// Id or address
        user: String,
    },
    /// Where an account is logged in
    #[command(after_help = "Example:\n  gatepost user sessions ann@example.com")]
    Sessions {
        /// Id or address
        user: String,
    },
    /// Let an account be used
    #[command(after_help = "Example:\n  gatepost user activate ann@example.com")]
    Activate {
        /// Id or address
        user: String,
    },
    /// Let an account be used no more; ends its sessions
    #[command(after_help = "Example:\n  gatepost user deactivate ann@example.com --yes")]
    Deactivate {
        /// Id or address
        user: String,
        /// It is meant
        #[arg(long)]
        yes: bool,
    },
    /// Set a password, from the terminal or standard input; ends its sessions
    #[command(after_help = "Example:\n  gatepost user set-password ann@example.com --yes < password.txt")]
    SetPassword {
        /// Id or address
        user: String,
        /// It is meant
        #[arg(long)]
        yes: bool,
    },
    /// End every session and kill every token of a user
    #[command(after_help = "Example:\n  gatepost user revoke ann@example.com --yes")]
    Revoke {
        /// Id or address
        user: String,
        /// It is meant
        #[arg(long)]
        yes: bool,
    },
    /// Delete an account
    #[command(after_help = "Example:\n  gatepost user delete ann@example.com --yes")]
    Delete {
        /// Id or address
        user: String,
        /// It is meant
        #[arg(long)]
        yes: bool,
    },
}

pub(super) async fn run(context: &Context, command: Command) -> Result<(), Failure> {
    match command {
        Command::Create(args) => create::run(context, args).await,
        Command::Invite(args) => invite::run(context, args).await,
        Command::List(args) => list::run(context, args).await,
        Command::Import(args) => import::run(context, args).await,
        Command::Export(args) => export::run(context, args).await,
        Command::Show { user } => show::run(context, &user).await,
        Command::Sessions { user } => sessions::run(context, &user).await,
        Command::Activate { user } => set_active::activate(context, &user).await,
        Command::Deactivate { user, yes } => set_active::deactivate(context, &user, yes).await,
        Command::SetPassword { user, yes } => set_password::run(context, &user, yes).await,
        Command::Revoke { user, yes } => set_active::revoke(context, &user, yes).await,
        Command::Delete { user, yes } => delete::run(context, &user, yes).await,
    }
}
