//! `gatepost token verify`.

use crate::ops::context::Context;
use crate::ops::failure::Failure;
use gatepost_tokens::Refused;

/// Options of `token verify`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  gatepost token verify \"$TOKEN\" --purpose activate --keep\n  \
    echo \"$TOKEN\" | gatepost token verify - --purpose activate"
)]
pub(in crate::ops) struct Args {
    /// The token, or - to read it from standard input
    token: String,
    /// What it has to be for
    #[arg(long)]
    purpose: String,
    /// Leave a one-time token usable
    #[arg(long)]
    keep: bool,
}

pub(super) async fn run(context: &Context, args: Args) -> Result<(), Failure> {
    let raw = crate::ops::ask::token(args.token).await?;
    let app = context.app().await?;
    if app.tokens.tokens().purpose_named(&args.purpose).is_none() {
        return Err(Failure::usage(format!(
            "there is no purpose {:?} (tokens.purposes)",
            args.purpose
        )));
    }
    let (tokens, purpose, consume) = (app.tokens.clone(), args.purpose, !args.keep);
    let token = app
        .store
        .run_tx("verify_token", move |tx| {
            let (tokens, raw, purpose) = (tokens.clone(), raw.clone(), purpose.clone());
            Box::pin(async move { tokens.verify_named_in(tx, &raw, &purpose, consume).await })
        })
        .await
        .map_err(|refused: Refused| Failure::from(refused))?;
    super::good(context, app.now(), &token, consume && token.purpose.one_time)
}
