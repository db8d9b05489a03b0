//! `gatepost user delete`.

use crate::accounts::users;
use crate::http::Problem;
use crate::ops::ask;
use crate::ops::context::Context;
use crate::ops::failure::Failure;

pub(super) async fn run(context: &Context, named: &str, yes: bool) -> Result<(), Failure> {
    let app = context.app().await?;
    let user = super::find::find(&app, named).await?;
    let sessions = super::find::sessions_of(&app, &user).await?;
    ask::consent(yes, &format!("end {sessions} and delete 1 account for ever"))?;
    let (tokens, id) = (app.tokens.clone(), user.id);
    let deleted = app
        .store
        .run_tx("delete_user", move |tx| {
            let tokens = tokens.clone();
            Box::pin(async move { users::delete(tx, &tokens, "cli", id).await })
        })
        .await
        .map_err(|problem: Problem| Failure::from(problem))?;
    if !deleted {
        return Err(Failure::no("the account was deleted meanwhile"));
    }
    context.answer(&serde_json::json!({ "id": id, "deleted": true }), || {
        format!("deleted; {sessions} ended")
    })
}
