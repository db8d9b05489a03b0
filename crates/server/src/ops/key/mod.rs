//! `gatepost key`: the keys that sign tokens.

mod adopt;
mod generate;
mod list;
mod retire;
mod rotate;

use std::time::Duration;

use gatepost_storage::Timestamp;
use gatepost_tokens::{ANNOUNCED_FOR, KeyInfo, TokenService};
use serde_json::{Value, json};

use super::context::Context;
use super::failure::Failure;
use super::words;
use crate::app::App;
use crate::keys;

/// What can be done.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// The keys, what each is for and where it stands
    #[command(after_help = "Example:\n  gatepost key list\n\n\
        announced: published, will sign. signing. verifying: another signs, what it signed still lives. \
        expired, retired: it counts no more.")]
    List,
    /// Make a key, which signs in 15 minutes
    Generate(generate::Args),
    /// Make the successor of a key, which signs in 15 minutes
    Rotate(rotate::Args),
    /// Let a key count no more: what it signed is dead
    Retire(retire::Args),
    /// Accept the configured secret, although the database knows another
    Adopt(adopt::Args),
}

pub(super) async fn run(context: &Context, command: Command) -> Result<(), Failure> {
    match command {
        Command::List => list::run(context).await,
        Command::Generate(args) => generate::run(context, args).await,
        Command::Rotate(args) => rotate::run(context, args).await,
        Command::Retire(args) => retire::run(context, args).await,
        Command::Adopt(args) => adopt::run(context, args).await,
    }
}

/// Tokens whose keys come and go by the command line's doing.
fn by_hand(app: &App) -> TokenService {
    app.tokens
        .clone()
        .on_key_change(|tx, change| keys::note(tx, "cli", change))
}

/// How long a new key is known before it signs.
fn announced(now: bool) -> Duration {
    if now { Duration::ZERO } else { ANNOUNCED_FOR }
}

fn value(key: &KeyInfo) -> Value {
    json!({
        "kid": key.kid, "algorithm": key.algorithm, "purposes": key.purposes, "state": key.state.as_str(),
        "derived": key.derived, "created_at": key.created_at, "signs_from": key.signs_from,
        "verifies_until": key.verifies_until,
    })
}

/// What is printed of a key that was just made.
fn made(context: &Context, now: Timestamp, key: &KeyInfo) -> Result<(), Failure> {
    context.answer(&value(key), || {
        let from = match key.signs_from {
            Some(from) if from > now => format!("signs {}", words::time(from, now)),
            _ => "signs from now on".to_owned(),
        };
        format!(
            "{} {} for {}: {from}",
            key.kid,
            key.algorithm,
            key.purposes.join(", ")
        )
    })
}
