//! `gatepost user create`.

use crate::accounts::User;
use crate::accounts::email::Email;
use crate::accounts::password::Password;
use crate::accounts::users::{self, NewUser};
use crate::http::Problem;
use crate::ops::ask;
use crate::ops::context::Context;
use crate::ops::failure::Failure;
use secrecy::ExposeSecret;

/// Options of `user create`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  gatepost user create ann@example.com\n  \
    head -c 24 /dev/urandom | base64 | gatepost --json user create robot@example.com\n  \
    gatepost user create ben@example.com --no-password")]
pub(in crate::ops) struct Args {
    /// The address
    email: Email,
    /// The language of letters
    #[arg(long, default_value = "en")]
    locale: String,
    /// Make it without a password: the user sets one by "forgot password"
    #[arg(long)]
    no_password: bool,
    /// Make it so that it can't be used before `user activate` or a press on an activation link
    #[arg(long)]
    inactive: bool,
}

pub(super) async fn run(context: &Context, args: Args) -> Result<(), Failure> {
    let app = context.app().await?;
    let address = args.email.address().to_string();
    let password_hash = if args.no_password {
        None
    } else {
        let typed = ask::new_password(&address).await?;
        let password =
            Password::parse(typed.expose_secret()).map_err(|error| Failure::no(error.to_string()))?;
        app.policy
            .check(&password, &[&address])
            .map_err(|weak| Failure::no(weak.to_string()))?;
        Some(
            app.hasher
                .hash(&password)
                .await
                .map_err(|error| Failure::unknown(error.to_string()))?,
        )
    };
    let new = NewUser {
        email: args.email,
        password_hash,
        active: !args.inactive,
        locale: args.locale,
        profile: serde_json::json!({}),
    };
    let made = app
        .store
        .run_tx("create_user", move |tx| {
            let new = new.clone();
            Box::pin(async move { users::create(tx, "cli", &new).await })
        })
        .await
        .map_err(|problem: Problem| Failure::from(problem))?;
    let Some(row) = made else {
        return Err(Failure::no(
            "there is an account of that address; `gatepost user show` tells about it",
        ));
    };
    context.answer(&User::from(&row), || row.id.to_string())
}
