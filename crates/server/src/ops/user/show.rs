//! `gatepost user show`.

use crate::accounts::User;
use crate::ops::context::Context;
use crate::ops::failure::Failure;
use crate::ops::words::time;

pub(super) async fn run(context: &Context, named: &str) -> Result<(), Failure> {
    let app = context.app().await?;
    let user = super::find::find(&app, named).await?;
    let now = app.now();
    context.answer(&User::from(&user), || {
        let when = |at: Option<gatepost_storage::Timestamp>| {
            at.map_or_else(|| "never".to_owned(), |at| time(at, now))
        };
        let state = if user.active { "active" } else { "not active" };
        let has_password = if user.password == crate::accounts::users::NO_PASSWORD {
            "none"
        } else {
            "set"
        };
        [
            format!("id        {}", user.id),
            format!("email     {}", user.email),
            format!("state     {state}"),
            format!(
                "password  {has_password}, changed {}",
                when(user.password_changed_at)
            ),
            format!("locale    {}", user.locale),
            format!("made      {}", time(user.created_at, now)),
            format!("activated {}", when(user.activated_at)),
            format!("login     {}", when(user.last_login_at)),
            format!("profile   {}", user.profile.0),
        ]
        .join("\n")
    })
}
