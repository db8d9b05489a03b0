//! What is told of users.

use gatepost_storage::users::UserRow;
use gatepost_storage::{Error, Tx, UserId, events};
use serde_json::{Value, json};

/// `user.registered`: somebody asked for an account of this id. Without the address, which nobody has confirmed.
pub async fn registered(tx: &mut Tx<'_>, id: UserId) -> Result<(), Error> {
    tell(tx, "user.registered", json!({"user_id": id})).await
}

/// `user.activated`: the account can be used from now on, for the first time or again.
pub async fn activated(tx: &mut Tx<'_>, user: &UserRow) -> Result<(), Error> {
    let data = json!({"user_id": user.id, "email": user.email, "locale": user.locale});
    tell(tx, "user.activated", data).await
}

/// `user.updated`: these fields were given other values.
pub async fn updated(tx: &mut Tx<'_>, id: UserId, changed: &[&str]) -> Result<(), Error> {
    tell(tx, "user.updated", json!({"user_id": id, "changed": changed})).await
}

/// `user.updated`: the address was given another value, which its owner has confirmed.
pub async fn email_changed(tx: &mut Tx<'_>, id: UserId, email: &str) -> Result<(), Error> {
    let data = json!({"user_id": id, "changed": ["email"], "email": email});
    tell(tx, "user.updated", data).await
}

/// `user.deactivated`: the account can't be used any more; its sessions have ended.
pub async fn deactivated(tx: &mut Tx<'_>, id: UserId) -> Result<(), Error> {
    tell(tx, "user.deactivated", json!({"user_id": id})).await
}

/// `user.deleted`: the account is gone; what others keep of it can go too.
pub async fn deleted(tx: &mut Tx<'_>, id: UserId) -> Result<(), Error> {
    tell(tx, "user.deleted", json!({"user_id": id})).await
}

/// How a password was changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    /// By its user, who knew the old one.
    Changed,
    /// By the link of a letter.
    Reset,
    /// By an administrator or a program.
    Set,
}

/// `user.password_changed`: older sessions have ended.
pub async fn password_changed(tx: &mut Tx<'_>, id: UserId, how: How) -> Result<(), Error> {
    let how = match how {
        How::Changed => "changed",
        How::Reset => "reset",
        How::Set => "set",
    };
    tell(tx, "user.password_changed", json!({"user_id": id, "how": how})).await
}

async fn tell(tx: &mut Tx<'_>, kind: &str, data: Value) -> Result<(), Error> {
    events::insert(tx, kind, &data).await?;
    Ok(())
}
