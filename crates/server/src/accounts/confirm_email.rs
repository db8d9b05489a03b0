//! Another address for an account: asked for with the password, in use when the link in the letter to it is pressed.

use std::time::Duration;

use axum::extract::State;
use gatepost_storage::email_changes::{self, EmailChangeRow};
use gatepost_storage::users::UserRow;
use gatepost_storage::{Timestamp, Tx, UserId, audit, registrations, users};
use gatepost_tokens::{ChangeEmail, ChangePassword, Refused, Token};
use serde_json::json;
use uuid::Uuid;

use super::activate::ByToken;
use super::email::Email;
use super::letters;
use super::user::User;
use crate::app::App;
use crate::events;
use crate::http::token::RawToken;
use crate::http::{Client, Code, Json, Problem, ProblemDocument};
use crate::limits;

/// How long a change waits for its link, and how long it is kept after that for the letters about it.
const KEPT: Duration = letters::NEWS_WORTH_SENDING;

/// Use up the token of the letter to the new address: the account has that address from now on, and both addresses are
/// told. Sessions go on; links to choose a password that went to the old address are void.
#[utoipa::path(post, path = "/api/users/email/confirm", tag = "users", request_body = ByToken, responses(
    (status = 200, body = User),
    (status = 400, description = "`token_malformed`, `token_expired`, `token_used`, `token_revoked`, `token_wrong_purpose`", body = ProblemDocument, content_type = "application/problem+json"),
    (status = 409, description = "`email_taken`: meanwhile; nothing is used up", body = ProblemDocument, content_type = "application/problem+json")))]
pub async fn confirm(
    State(app): State<App>,
    client: Client,
    Json(body): Json<ByToken>,
) -> Result<Json<User>, Problem> {
    press(&app, client, &body.token).await.map(Json)
}

/// Look into what was asked for, with `holder` who has the address now: its owner is told in any case, a link is sent
/// if nobody else has it.
pub(crate) async fn begin(
    app: &App,
    tx: &mut Tx<'_>,
    id: Uuid,
    requested_at: Timestamp,
    email: &Email,
    user_id: UserId,
    holder: Option<&UserRow>,
) -> Result<(), Problem> {
    let Some(user) = users::get(tx, user_id).await?.filter(|user| user.active) else {
        return Ok(());
    };
    let change = EmailChangeRow {
        id,
        subject: user_id.to_string(),
        email: email.address().to_string(),
        email_canonical: email.canonical().to_owned(),
        old_email: user.email.clone(),
        old_canonical: user.email_canonical.clone(),
        requested_at,
        confirmed_at: None,
        expires_at: requested_at + KEPT,
    };
    if !email_changes::insert(tx, &change).await? {
        return Ok(());
    }
    // Whoever reads the old address is told the same whether or not the new one is taken.
    letters::email_change_asked(app, tx, &user.locale, &change).await?;
    if holder.is_none_or(|holder| holder.id == user_id) {
        letters::confirm_email(app, tx, &user, &change).await?;
    }
    let actor = format!("user:{user_id}");
    audit::note(tx, &actor, "email.change_asked", Some(&change.subject), json!({})).await?;
    Ok(())
}

/// Change the address, once.
pub async fn press(app: &App, client: Client, token: &RawToken) -> Result<User, Problem> {
    limits::token(app, client).await?;
    let (parts, raw) = (app.clone(), token.clone());
    app.store
        .run_tx("confirm_email", move |tx| {
            let (app, raw) = (parts.clone(), raw.clone());
            Box::pin(async move {
                let token = app.tokens.verify_in::<ChangeEmail>(tx, raw.expose()).await?;
                let (user_id, id) = ids(&token)?;
                let until = tx.now() + KEPT;
                let change = email_changes::confirm(tx, id, &user_id.to_string(), until).await?;
                let change = change.ok_or_else(|| Problem::new(Code::TokenRevoked))?;
                put(&app, tx, user_id, &change).await
            })
        })
        .await
}

async fn put(app: &App, tx: &mut Tx<'_>, id: UserId, change: &EmailChangeRow) -> Result<User, Problem> {
    let changed = users::change_email(
        tx,
        id,
        &change.old_canonical,
        &change.email,
        &change.email_canonical,
    )
    .await;
    match changed {
        Ok(true) => {}
        Ok(false) => {
            let holder = users::by_email(tx, &change.email_canonical).await?;
            let taken = holder.is_some_and(|holder| holder.id != id);
            return Err(Problem::new(if taken {
                Code::EmailTaken
            } else {
                Code::TokenRevoked
            }));
        }
        // Somebody opened an account with it at this very moment.
        Err(error) if error.is_unique_violation() => return Err(Problem::new(Code::EmailTaken)),
        Err(error) => return Err(error.into()),
    }
    // The address is somebody's now: what waited for it, and what was sent to the old one, is void.
    registrations::void_email(tx, &change.email_canonical).await?;
    let subject = id.to_string();
    app.tokens.void_in::<ChangePassword>(tx, &subject).await?;
    app.tokens.void_in::<ChangeEmail>(tx, &subject).await?;
    let user = users::get(tx, id)
        .await?
        .ok_or_else(|| Problem::new(Code::TokenRevoked))?;
    letters::email_changed(app, tx, &user.locale, change).await?;
    audit::note(tx, "link", "email.changed", Some(&subject), json!({})).await?;
    events::user::email_changed(tx, id, &user.email).await?;
    Ok(User::from(&user))
}

/// What a link would do, without doing it: for the page with the button.
pub async fn look(app: &App, token: &RawToken) -> Result<EmailChangeRow, Problem> {
    let token = app.tokens.peek::<ChangeEmail>(token.expose()).await?;
    let (user_id, id) = ids(&token)?;
    let change = app
        .store
        .read("look_at_email_change", move |tx| {
            Box::pin(async move { email_changes::get(tx, id).await })
        })
        .await?
        .filter(|change| change.subject == user_id.to_string());
    match change {
        Some(change) if change.confirmed_at.is_none() => Ok(change),
        Some(_) => Err(Problem::new(Code::TokenUsed)),
        None => Err(Problem::new(Code::TokenRevoked)),
    }
}

/// The address that a link has put in place, if it was this one and still stands.
pub async fn done(app: &App, token: &RawToken) -> Result<Option<String>, Problem> {
    let token = app.tokens.tokens().check::<ChangeEmail>(token.expose())?;
    let (user_id, id) = ids(&token)?;
    let read = app.store.read("email_change_done", move |tx| {
        Box::pin(async move {
            let change = email_changes::get(tx, id).await?;
            let user = users::get(tx, user_id).await?;
            Ok::<_, Problem>(match (change, user) {
                (Some(change), Some(user)) if change.confirmed_at.is_some() && change.email == user.email => {
                    Some(user.email)
                }
                _ => None,
            })
        })
    });
    read.await
}

/// "This was not me": the link is used up, and the change forgotten.
pub async fn withdraw(app: &App, client: Client, token: &RawToken) -> Result<(), Problem> {
    limits::token(app, client).await?;
    let (parts, raw) = (app.clone(), token.clone());
    app.store
        .run_tx("withdraw_email_change", move |tx| {
            let (app, raw) = (parts.clone(), raw.clone());
            Box::pin(async move {
                let token = app.tokens.verify_in::<ChangeEmail>(tx, raw.expose()).await?;
                let (user_id, id) = ids(&token)?;
                let subject = user_id.to_string();
                if !email_changes::withdraw(tx, id, &subject).await? {
                    return Err(Problem::from(Refused::Revoked));
                }
                audit::note(tx, "link", "email.change_withdrawn", Some(&subject), json!({})).await?;
                Ok::<_, Problem>(())
            })
        })
        .await
}

fn ids(token: &Token<ChangeEmail>) -> Result<(UserId, Uuid), Problem> {
    let change = token.extra.change.parse();
    let change = change.map_err(|_| Problem::new(Code::TokenMalformed))?;
    Ok((token.subject()?, change))
}
