//! `gatepost token validate`.

use crate::ops::context::Context;
use crate::ops::failure::Failure;

/// Options of `token validate`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  gatepost token validate \"$TOKEN\"")]
pub(in crate::ops) struct Args {
    /// The token, or - to read it from standard input
    token: String,
}

pub(super) async fn run(context: &Context, args: Args) -> Result<(), Failure> {
    let raw = crate::ops::ask::token(args.token).await?;
    let app = context.app().await?;
    let token = app.tokens.validate_any(&raw).await?;
    super::good(context, app.now(), &token, false)
}
