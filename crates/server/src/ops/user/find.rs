//! Finding an account by what people know of it.

use gatepost_mail::EmailAddress;
use gatepost_storage::users::{self, UserRow};

use crate::app::App;
use crate::ops::failure::Failure;
use crate::ops::words;

/// The account of an id or an address.
pub(super) async fn find(app: &App, named: &str) -> Result<UserRow, Failure> {
    let named = named.to_owned();
    let found = app
        .store
        .read("find_user", move |tx| {
            let named = named.clone();
            Box::pin(async move {
                if let Ok(id) = named.parse() {
                    return users::get(tx, id).await;
                }
                match named.parse::<EmailAddress>() {
                    Ok(address) => users::by_email(tx, &address.canonical()).await,
                    Err(_) => Ok(None),
                }
            })
        })
        .await?;
    found.ok_or_else(|| {
        Failure::no("there is no account of that id or address; `gatepost user list` shows them")
    })
}

/// "2 sessions", for what is about to end.
pub(super) async fn sessions_of(app: &App, user: &UserRow) -> Result<String, Failure> {
    let sessions = app.tokens.sessions(&user.id.to_string()).await?.len();
    Ok(words::count(sessions as u64, "session"))
}
