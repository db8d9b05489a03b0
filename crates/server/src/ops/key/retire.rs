//! `gatepost key retire`.

use super::{by_hand, value};
use crate::ops::ask;
use crate::ops::context::Context;
use crate::ops::failure::Failure;

/// Options of `key retire`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  gatepost key retire KID --yes\n\n\
    Every instance refuses it within a second. Other programs that verify by /.well-known/jwks.json go on until \
    they ask for it again: 5 minutes, if they keep to what it says.")]
pub(in crate::ops) struct Args {
    /// The key
    #[arg(allow_hyphen_values = true)]
    kid: String,
    /// It is meant
    #[arg(long)]
    yes: bool,
}

pub(super) async fn run(context: &Context, args: Args) -> Result<(), Failure> {
    ask::consent(
        args.yes,
        "end every token that this key has signed, on every instance within a second",
    )?;
    let app = context.app().await?;
    let key = by_hand(&app).retire_key(&args.kid).await?;
    context.answer(&value(&key), || format!("{} is retired", key.kid))
}
