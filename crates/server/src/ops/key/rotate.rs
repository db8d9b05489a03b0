//! `gatepost key rotate`.

use gatepost_tokens::{Access, KeyState, Purpose};

use super::{announced, by_hand, made};
use crate::ops::context::Context;
use crate::ops::failure::Failure;

/// Options of `key rotate`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  gatepost key rotate\n  gatepost key rotate --now && gatepost key retire KID --yes\n\n\
    Nobody is logged out: the old key verifies what it has signed until that is dead. A key that is known to \
    strangers is rotated with --now and then retired."
)]
pub(in crate::ops) struct Args {
    /// The key; without it, the one that signs access tokens
    #[arg(allow_hyphen_values = true)]
    kid: Option<String>,
    /// Sign at once: who keeps an older /.well-known/jwks.json refuses its tokens until it asks again
    #[arg(long)]
    now: bool,
}

pub(super) async fn run(context: &Context, args: Args) -> Result<(), Failure> {
    let app = context.app().await?;
    let tokens = by_hand(&app);
    let kid = match args.kid {
        Some(kid) => kid,
        None => tokens
            .list_keys()
            .await?
            .into_iter()
            .rfind(|key| {
                key.state == KeyState::Signing && key.purposes.iter().any(|purpose| purpose == Access::NAME)
            })
            .map(|key| key.kid)
            .ok_or_else(|| {
                Failure::no("no key signs access tokens; `gatepost key generate --now` makes one")
            })?,
    };
    let key = tokens.rotate_key(&kid, announced(args.now)).await?;
    made(context, app.now(), &key)
}
