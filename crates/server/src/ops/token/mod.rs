//! `gatepost token`: make, check and revoke tokens.

mod create;
mod inspect;
mod revoke;
mod validate;
mod verify;

use super::context::Context;
use super::failure::Failure;

/// What can be done.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Print a token
    Create(create::Args),
    /// Check a token for a purpose, and use it up if it is one-time
    Verify(verify::Args),
    /// Check a token for whatever purpose it has; uses nothing up
    Validate(validate::Args),
    /// Decode a token without trusting it: what it claims, and what is to be thought of it
    Inspect(inspect::Args),
    /// Revoke one token, or everything that a user holds
    Revoke(revoke::Args),
}

pub(super) async fn run(context: &Context, command: Command) -> Result<(), Failure> {
    match command {
        Command::Create(args) => create::run(context, args).await,
        Command::Verify(args) => verify::run(context, args).await,
        Command::Validate(args) => validate::run(context, args).await,
        Command::Inspect(args) => inspect::run(context, args).await,
        Command::Revoke(args) => revoke::run(context, args).await,
    }
}

/// What is printed of a token that is good.
fn good(
    context: &Context,
    now: gatepost_storage::Timestamp,
    token: &gatepost_tokens::AnyToken,
    consumed: bool,
) -> Result<(), Failure> {
    let expires_at = gatepost_storage::Timestamp::from_secs(token.claims.expires_at);
    let value = serde_json::json!({
        "active": true, "purpose": token.purpose.name, "user_id": token.user_id(),
        "expires_at": expires_at, "claims": token.extra, "consumed": consumed,
    });
    context.answer(&value, || {
        let used = if consumed { ", used up now" } else { "" };
        let until = super::words::time(expires_at, now);
        format!(
            "good: {} of {} until {until}{used}",
            token.purpose.name,
            token.user_id()
        )
    })
}
