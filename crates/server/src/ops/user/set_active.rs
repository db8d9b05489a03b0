//! `gatepost user activate`, `deactivate` and `revoke`.

use crate::accounts::users;
use crate::http::Problem;
use crate::ops::context::Context;
use crate::ops::failure::Failure;
use crate::ops::{ask, words};

pub(super) async fn activate(context: &Context, named: &str) -> Result<(), Failure> {
    let app = context.app().await?;
    let id = super::find::find(&app, named).await?.id;
    let changed = app
        .store
        .run_tx("activate_user", move |tx| {
            Box::pin(async move { users::activate(tx, "cli", id).await })
        })
        .await
        .map_err(|problem: Problem| Failure::from(problem))?;
    context.answer(&serde_json::json!({ "id": id, "changed": changed }), || {
        if changed {
            "activated"
        } else {
            "it was active already"
        }
        .to_owned()
    })
}

pub(super) async fn deactivate(context: &Context, named: &str, yes: bool) -> Result<(), Failure> {
    let app = context.app().await?;
    let user = super::find::find(&app, named).await?;
    let sessions = super::find::sessions_of(&app, &user).await?;
    ask::consent(yes, &format!("end {sessions} and let 1 account be used no more"))?;
    let (tokens, id) = (app.tokens.clone(), user.id);
    let changed = app
        .store
        .run_tx("deactivate_user", move |tx| {
            let tokens = tokens.clone();
            Box::pin(async move { users::deactivate(tx, &tokens, "cli", id).await })
        })
        .await
        .map_err(|problem: Problem| Failure::from(problem))?;
    context.answer(&serde_json::json!({ "id": id, "changed": changed }), || {
        if changed {
            format!("deactivated; {sessions} ended")
        } else {
            "it was not active anyway".to_owned()
        }
    })
}

pub(super) async fn revoke(context: &Context, named: &str, yes: bool) -> Result<(), Failure> {
    let app = context.app().await?;
    let user = super::find::find(&app, named).await?;
    let sessions = super::find::sessions_of(&app, &user).await?;
    ask::consent(
        yes,
        &format!("end {sessions} and kill every other token of 1 user"),
    )?;
    let (tokens, id) = (app.tokens.clone(), user.id.to_string());
    let ended = app
        .store
        .run_tx("revoke_user", move |tx| {
            let (tokens, id) = (tokens.clone(), id.clone());
            Box::pin(async move { users::revoke(tx, &tokens, "cli", &id).await })
        })
        .await
        .map_err(|problem: Problem| Failure::from(problem))?;
    context.answer(
        &serde_json::json!({ "id": user.id, "sessions_ended": ended }),
        || format!("revoked; {} ended", words::count(ended, "session")),
    )
}
