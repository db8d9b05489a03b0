//! Make an account for somebody, who opens it by the link of a letter.

use gatepost_storage::users::UserRow;
use gatepost_storage::{Tx, audit};
use serde_json::json;

use super::letters;
use super::users::{self, NO_PASSWORD, NewUser};
use crate::app::App;
use crate::config::Registration;
use crate::http::{Code, Problem};

/// Whether invitations are sent and taken here: not where registration is closed.
pub fn allowed(app: &App) -> Result<(), Problem> {
    match app.config.accounts.registration {
        Registration::Open | Registration::Invite => Ok(()),
        Registration::Closed => Err(Problem::new(Code::RegistrationClosed)),
    }
}

/// Whether this is an account that nobody has opened yet, and that an invitation may open.
pub(crate) fn waits(app: &App, user: &UserRow) -> bool {
    user.activated_at.is_none() && user.password == NO_PASSWORD && allowed(app).is_ok()
}

/// Make the account and send its letter, in the caller's transaction; `None` if the address has an account. `new` has
/// no password and is not active.
pub async fn invite(
    app: &App,
    tx: &mut Tx<'_>,
    actor: &str,
    new: &NewUser,
) -> Result<Option<UserRow>, Problem> {
    let Some(user) = users::create(tx, actor, new).await? else {
        return Ok(None);
    };
    send(app, tx, actor, &user).await?;
    Ok(Some(user))
}

/// Send the letter, also once more: when it is sent, the links of the ones before it are void. Refused with
/// [`Code::Conflict`] if the account was opened.
pub async fn send(app: &App, tx: &mut Tx<'_>, actor: &str, user: &UserRow) -> Result<(), Problem> {
    if user.activated_at.is_some() {
        return Err(Problem::new(Code::Conflict).detail("The account was opened already."));
    }
    letters::invitation(app, tx, user, tx.now()).await?;
    audit::note(tx, actor, "user.invited", Some(&user.id.to_string()), json!({})).await?;
    Ok(())
}
