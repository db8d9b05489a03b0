//! `gatepost user invite`.

use gatepost_storage::users as rows;

use crate::accounts::email::Email;
use crate::accounts::invite;
use crate::accounts::users::NewUser;
use crate::http::Problem;
use crate::ops::context::Context;
use crate::ops::failure::Failure;

/// Options of `user invite`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  gatepost user invite ann@example.com\n  \
    gatepost user invite ann@example.com --locale uk\n\nFor an address that was invited before, the letter is sent again.")]
pub(in crate::ops) struct Args {
    /// The address
    email: Email,
    /// The language of letters
    #[arg(long, default_value = "en")]
    locale: String,
}

pub(super) async fn run(context: &Context, args: Args) -> Result<(), Failure> {
    let app = context.app().await?;
    invite::allowed(&app).map_err(|_| {
        Failure::no("accounts.registration is \"closed\": set it to \"invite\", or make the account with `gatepost user create`")
    })?;
    let new = NewUser {
        email: args.email,
        password_hash: None,
        active: false,
        locale: args.locale,
        profile: serde_json::json!({}),
    };
    let parts = app.clone();
    let done = app
        .store
        .run_tx("invite_user", move |tx| {
            let (app, new) = (parts.clone(), new.clone());
            Box::pin(async move {
                if let Some(user) = invite::invite(&app, tx, "cli", &new).await? {
                    return Ok(Some((user.id, false)));
                }
                match rows::by_email(tx, new.email.canonical()).await? {
                    Some(user) if user.activated_at.is_none() => {
                        invite::send(&app, tx, "cli", &user).await?;
                        Ok(Some((user.id, true)))
                    }
                    _ => Ok(None),
                }
            })
        })
        .await
        .map_err(|problem: Problem| Failure::from(problem))?;
    let Some((id, again)) = done else {
        return Err(Failure::no(
            "there is an open account of that address; `gatepost user show` tells about it",
        ));
    };
    context.answer(&serde_json::json!({ "id": id, "again": again }), || {
        let how = if again { "invited again" } else { "invited" };
        format!("{how}: {id}")
    })
}
