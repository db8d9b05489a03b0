//! `gatepost token revoke`.

use crate::accounts::users;
use crate::auth::trail;
use crate::http::Problem;
use crate::ops::context::Context;
use crate::ops::failure::Failure;
use crate::ops::{ask, words};

/// Options of `token revoke`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  gatepost token revoke \"$TOKEN\"\n  gatepost token revoke --user 42 --yes"
)]
pub(in crate::ops) struct Args {
    /// The token, or - to read it from standard input; a refresh token takes its session with it
    #[arg(required_unless_present = "user", conflicts_with = "user")]
    token: Option<String>,
    /// Everything that this user holds, of every purpose
    #[arg(long, value_name = "ID")]
    user: Option<String>,
    /// With --user: it is meant
    #[arg(long)]
    yes: bool,
}

pub(super) async fn run(context: &Context, args: Args) -> Result<(), Failure> {
    match (args.token, args.user) {
        (_, Some(user)) => revoke_user(context, user, args.yes).await,
        (Some(token), None) => revoke_one(context, token).await,
        (None, None) => Err(Failure::usage("name a token, or --user ID")),
    }
}

async fn revoke_one(context: &Context, token: String) -> Result<(), Failure> {
    let raw = ask::token(token).await?;
    let app = context.app().await?;
    let parts = app.clone();
    let known = app
        .store
        .run_tx("revoke_token", move |tx| {
            let (app, raw) = (parts.clone(), raw.clone());
            Box::pin(async move { trail::revoke_token(&app, tx, "cli", &raw).await })
        })
        .await?;
    context.answer(&serde_json::json!({ "revoked": known }), || {
        if known {
            "revoked"
        } else {
            "it was good for nothing already"
        }
        .to_owned()
    })
}

async fn revoke_user(context: &Context, user: String, yes: bool) -> Result<(), Failure> {
    let app = context.app().await?;
    let sessions = app.tokens.sessions(&user).await?.len();
    ask::consent(
        yes,
        &format!(
            "end {} and kill every other token of that user",
            words::count(sessions as u64, "session")
        ),
    )?;
    let tokens = app.tokens.clone();
    let ended = app
        .store
        .run_tx("revoke_user", move |tx| {
            let (tokens, user) = (tokens.clone(), user.clone());
            Box::pin(async move { users::revoke(tx, &tokens, "cli", &user).await })
        })
        .await
        .map_err(|problem: Problem| Failure::from(problem))?;
    context.answer(&serde_json::json!({ "sessions_ended": ended }), || {
        format!("revoked; {} ended", words::count(ended, "session"))
    })
}
