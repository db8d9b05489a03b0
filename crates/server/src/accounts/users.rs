//! What may be done to anybody's account, each in the caller's transaction: by the command line, by other
//! programs, by an administrator. `actor` is who does it, for the audit (`cli`, `key:<name>`, `user:<id>`).

use gatepost_storage::users::{self, UserRow};
use gatepost_storage::{Json, Tx, UserId, audit, email_changes, known_devices, new_id, registrations};
use gatepost_tokens::{ChangeEmail, ChangePassword, EndReason, TokenService};
use serde_json::{Value, json};

use super::email::Email;
use crate::events;
use crate::events::user::How;
use crate::http::Problem;

/// No password: nothing matches it, until one is set by a reset link or by an administrator.
pub const NO_PASSWORD: &str = "!";

/// An account to be made without a letter.
#[derive(Debug, Clone)]
pub struct NewUser {
    /// Its address.
    pub email: Email,
    /// The hash of its password, if it is to have one.
    pub password_hash: Option<String>,
    /// Whether it can be used at once; else its activation letter can be asked for.
    pub active: bool,
    /// The language of letters.
    pub locale: String,
    /// What the application keeps with it.
    pub profile: Value,
}

/// Make an account; `None` if the address has one. Registrations that wait for the address are void.
pub async fn create(tx: &mut Tx<'_>, actor: &str, new: &NewUser) -> Result<Option<UserRow>, Problem> {
    let now = tx.now();
    let row = UserRow {
        id: new_id(now).into(),
        email: new.email.address().to_string(),
        email_canonical: new.email.canonical().to_owned(),
        password: new
            .password_hash
            .clone()
            .unwrap_or_else(|| NO_PASSWORD.to_owned()),
        active: new.active,
        locale: new.locale.clone(),
        profile: Json(new.profile.clone()),
        created_at: now,
        updated_at: now,
        activated_at: new.active.then_some(now),
        password_changed_at: None,
        last_login_at: None,
    };
    if !users::insert(tx, &row).await? {
        return Ok(None);
    }
    registrations::void_email(tx, &row.email_canonical).await?;
    audit::note(
        tx,
        actor,
        "user.created",
        Some(&row.id.to_string()),
        json!({"active": new.active}),
    )
    .await?;
    events::user::registered(tx, row.id).await?;
    if new.active {
        events::user::activated(tx, &row).await?;
    }
    Ok(Some(row))
}

/// Set a password; every session ends and every reset link dies. `false` if there is no such user.
pub async fn set_password(
    tx: &mut Tx<'_>,
    tokens: &TokenService,
    actor: &str,
    id: UserId,
    hash: &str,
) -> Result<bool, Problem> {
    if !users::set_password(tx, id, hash).await? {
        return Ok(false);
    }
    let subject = id.to_string();
    tokens
        .end_all_sessions_in(tx, &subject, EndReason::PasswordChanged)
        .await?;
    tokens.void_in::<ChangePassword>(tx, &subject).await?;
    tokens.void_in::<ChangeEmail>(tx, &subject).await?;
    audit::note(tx, actor, "password.set", Some(&subject), json!({})).await?;
    events::user::password_changed(tx, id, How::Set).await?;
    Ok(true)
}

/// Let the account be used. `false` if it could be already, or there is no such user.
pub async fn activate(tx: &mut Tx<'_>, actor: &str, id: UserId) -> Result<bool, Problem> {
    let changed = users::set_active(tx, id, true).await?;
    if changed {
        audit::note(tx, actor, "user.activated", Some(&id.to_string()), json!({})).await?;
        if let Some(row) = users::get(tx, id).await? {
            events::user::activated(tx, &row).await?;
        }
    }
    Ok(changed)
}

/// Let the account be used no more; every token of its user dies. `false` if it could not be used anyway.
pub async fn deactivate(
    tx: &mut Tx<'_>,
    tokens: &TokenService,
    actor: &str,
    id: UserId,
) -> Result<bool, Problem> {
    if !users::set_active(tx, id, false).await? {
        return Ok(false);
    }
    let subject = id.to_string();
    let sessions = tokens.revoke_all_in(tx, &subject).await?;
    audit::note(
        tx,
        actor,
        "user.deactivated",
        Some(&subject),
        json!({"sessions": sessions}),
    )
    .await?;
    events::user::deactivated(tx, id).await?;
    Ok(true)
}

/// Delete the account; every token of its user dies. `false` if there is no such user.
pub async fn delete(
    tx: &mut Tx<'_>,
    tokens: &TokenService,
    actor: &str,
    id: UserId,
) -> Result<bool, Problem> {
    let Some(user) = users::get(tx, id).await? else {
        return Ok(false);
    };
    if !users::delete(tx, id).await? {
        return Ok(false);
    }
    registrations::void_email(tx, &user.email_canonical).await?;
    let subject = id.to_string();
    email_changes::forget_user(tx, &subject).await?;
    known_devices::forget_user(tx, &subject).await?;
    let sessions = tokens.revoke_all_in(tx, &subject).await?;
    audit::note(
        tx,
        actor,
        "user.deleted",
        Some(&subject),
        json!({"sessions": sessions}),
    )
    .await?;
    events::user::deleted(tx, id).await?;
    Ok(true)
}

/// End every session and kill every token of a user, who may be anybody and need not have an account here;
/// how many sessions there were.
pub async fn revoke(
    tx: &mut Tx<'_>,
    tokens: &TokenService,
    actor: &str,
    subject: &str,
) -> Result<u64, Problem> {
    let sessions = tokens.revoke_all_in(tx, subject).await?;
    audit::note(
        tx,
        actor,
        "user.revoked",
        Some(subject),
        json!({"sessions": sessions}),
    )
    .await?;
    Ok(sessions)
}
