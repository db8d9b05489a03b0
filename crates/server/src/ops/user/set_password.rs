//! `gatepost user set-password`.

use secrecy::ExposeSecret;

use crate::accounts::password::Password;
use crate::accounts::users;
use crate::http::Problem;
use crate::ops::ask;
use crate::ops::context::Context;
use crate::ops::failure::Failure;

pub(super) async fn run(context: &Context, named: &str, yes: bool) -> Result<(), Failure> {
    let app = context.app().await?;
    let user = super::find::find(&app, named).await?;
    let sessions = super::find::sessions_of(&app, &user).await?;
    ask::consent(yes, &format!("end {sessions} of 1 user"))?;
    let typed = ask::new_password(&user.email).await?;
    let password = Password::parse(typed.expose_secret()).map_err(|error| Failure::no(error.to_string()))?;
    app.policy
        .check(&password, &[&user.email])
        .map_err(|weak| Failure::no(weak.to_string()))?;
    let hash = app
        .hasher
        .hash(&password)
        .await
        .map_err(|error| Failure::unknown(error.to_string()))?;
    let (tokens, id) = (app.tokens.clone(), user.id);
    let set = app
        .store
        .run_tx("set_password", move |tx| {
            let (tokens, hash) = (tokens.clone(), hash.clone());
            Box::pin(async move { users::set_password(tx, &tokens, "cli", id, &hash).await })
        })
        .await
        .map_err(|problem: Problem| Failure::from(problem))?;
    if !set {
        return Err(Failure::no("the account was deleted meanwhile"));
    }
    context.answer(&serde_json::json!({ "id": id, "changed": true }), || {
        format!("set; {sessions} ended")
    })
}
