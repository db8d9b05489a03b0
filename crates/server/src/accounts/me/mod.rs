//! One's own account, with an access token.

pub mod delete;
pub mod email;
pub mod get;
pub mod password;
pub mod update;

use gatepost_storage::users::{self, UserRow};
use gatepost_tokens::Refused;

use super::Email;
use super::hasher::Verdict;
use super::password::Password;
use crate::app::App;
use crate::http::bearer::Bearer;
use crate::http::{Client, Code, Problem};
use crate::limits;

/// The row of whoever asks. Somebody whose account was deleted a moment ago has a revoked token.
async fn row(app: &App, bearer: &Bearer) -> Result<UserRow, Problem> {
    let id = bearer.user_id;
    let row = app
        .store
        .read("get_user", move |tx| Box::pin(users::get(tx, id)))
        .await?;
    row.filter(|user| user.active).ok_or_else(gone)
}

fn gone() -> Problem {
    Problem::from(Refused::Revoked).as_bearer()
}

/// The password again, before something that cannot be undone. Counted like a login.
async fn confirm(app: &App, client: Client, user: &UserRow, password: &Password) -> Result<(), Problem> {
    // In another program's table somebody may have no address.
    let own = user.id.to_string();
    let name = if user.email.parse::<Email>().is_ok() {
        &user.email
    } else {
        &own
    };
    limits::login_by_name(app, client, name).await?;
    match app.hasher.verify(password, Some(&user.password)).await? {
        Verdict::Wrong => Err(Problem::new(Code::InvalidCredentials).detail("The password is wrong.")),
        Verdict::Right | Verdict::RightOutdated => {
            limits::login_by_name_succeeded(app, client, name).await;
            Ok(())
        }
    }
}
