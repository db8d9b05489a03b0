//! `gatepost admin`: who may use the console.

mod create;
mod link;
mod list;
mod reset;

use gatepost_mail::EmailAddress;

use super::context::Context;
use super::failure::Failure;

/// What can be done.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Add an administrator, and print the link with which he sets his password
    #[command(after_help = "Example:\n  gatepost admin create ann@example.com")]
    Create {
        /// His address
        email: EmailAddress,
    },
    /// Who they are
    #[command(after_help = "Example:\n  gatepost admin list --json")]
    List,
    /// Take an administrator's password away, and print a link with which he sets another
    #[command(after_help = "Example:\n  gatepost admin reset ann@example.com --yes")]
    Reset {
        /// His address
        email: EmailAddress,
        /// It is meant
        #[arg(long)]
        yes: bool,
    },
    /// Print a one-time link (15 min) with which the first administrator sets himself up
    #[command(after_help = "Example:\n  gatepost admin link")]
    Link,
}

pub(super) async fn run(context: &Context, command: Command) -> Result<(), Failure> {
    match command {
        Command::Create { email } => create::run(context, email).await,
        Command::List => list::run(context).await,
        Command::Reset { email, yes } => reset::run(context, email, yes).await,
        Command::Link => link::run(context).await,
    }
}

/// Prints a link that works once.
fn print_link(
    context: &Context,
    config: &crate::config::Config,
    raw: &secrecy::SecretString,
) -> Result<(), Failure> {
    use secrecy::ExposeSecret;
    let url = crate::console::administrators::link_url(&config.http.public_url, raw.expose_secret());
    let value = serde_json::json!({ "url": url, "expires_in": crate::console::administrators::LINK_LIFETIME.as_secs() });
    context.answer(&value, || format!("{url}\nIt works once, within 15 minutes."))
}
