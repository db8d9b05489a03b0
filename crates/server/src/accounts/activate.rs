//! Press the link of an activation letter.

use axum::extract::State;
use gatepost_storage::registrations::RegistrationRow;
use gatepost_storage::users::UserRow;
use gatepost_storage::{Timestamp, Tx, UserId, audit, registrations, users};
use gatepost_tokens::{Activate, Refused};
use serde::Deserialize;
use serde_json::json;
use utoipa::ToSchema;

use super::letters::{self, News};
use super::links;
use super::user::User;
use crate::app::App;
use crate::events;
use crate::http::token::RawToken;
use crate::http::{Client, Code, Json, Problem, ProblemDocument};
use crate::limits;

/// The token of a letter's link.
#[derive(Debug, Deserialize, ToSchema)]
pub struct ByToken {
    /// The token.
    pub token: RawToken,
    /// Beside the token of a link that Django's `PasswordResetTokenGenerator` made (djoser's, for one): the link's
    /// other part.
    #[serde(default)]
    pub uid: Option<String>,
}

/// Use up the token of an activation letter: that registration becomes the account, the others for its
/// address are void. Logs nobody in.
#[utoipa::path(post, path = "/api/users/activate", tag = "users", request_body = ByToken, responses(
    (status = 200, body = User),
    (status = 400, description = "`token_malformed`, `token_expired`, `token_used`, `token_revoked`, `token_wrong_purpose`", body = ProblemDocument, content_type = "application/problem+json")))]
pub async fn activate(
    State(app): State<App>,
    client: Client,
    Json(body): Json<ByToken>,
) -> Result<Json<User>, Problem> {
    let token = links::whole(body.uid.as_deref(), body.token);
    press(&app, client, &token).await.map(Json)
}

/// Activate, once.
pub async fn press(app: &App, client: Client, token: &RawToken) -> Result<User, Problem> {
    limits::token(app, client).await?;
    let (parts, raw) = (app.clone(), token.clone());
    app.store
        .run_tx("activate", move |tx| {
            let (app, raw) = (parts.clone(), raw.clone());
            Box::pin(async move {
                let id = links::use_up::<Activate>(&app, tx, &raw).await?;
                let user = make_active(tx, id).await?;
                let id = user.id.to_string();
                letters::news(&app, tx, News::Welcome, &id, &user.locale, tx.now()).await?;
                audit::note(tx, "link", "user.activated", Some(&id), json!({})).await?;
                events::user::activated(tx, &user).await?;
                Ok::<_, Problem>(User::from(&user))
            })
        })
        .await
}

/// The registration of this id, which is gone then.
async fn taken(tx: &mut Tx<'_>, id: UserId) -> Result<Option<RegistrationRow>, Problem> {
    match id.uuid() {
        Some(id) => Ok(registrations::take(tx, id).await?),
        None => Ok(None),
    }
}

async fn make_active(tx: &mut Tx<'_>, id: UserId) -> Result<UserRow, Problem> {
    let now = tx.now();
    if let Some(registration) = taken(tx, id).await? {
        let user = UserRow {
            id: registration.id.into(),
            email: registration.email,
            email_canonical: registration.email_canonical,
            password: registration.password,
            active: true,
            locale: registration.locale,
            profile: registration.profile,
            created_at: now,
            updated_at: now,
            activated_at: Some(now),
            password_changed_at: None,
            last_login_at: None,
        };
        // Another registration of this address was confirmed first: this one is void.
        if !users::insert(tx, &user).await? {
            return Err(Problem::new(Code::TokenRevoked));
        }
        registrations::void_email(tx, &user.email_canonical).await?;
        return Ok(user);
    }
    let activated = users::activate(tx, id).await?;
    match users::get(tx, id).await? {
        Some(user) if activated => Ok(user),
        // A second letter's link, after the first one's was pressed.
        Some(user) if user.active => Err(Problem::new(Code::TokenUsed)),
        _ => Err(Problem::new(Code::TokenRevoked)),
    }
}

/// When what this link confirms was asked for, without using anything up: for the page with the button.
pub async fn asked_at(app: &App, token: &RawToken) -> Result<Timestamp, Problem> {
    let id = links::look::<Activate>(app, token).await?;
    app.store
        .read("activation_asked_at", move |tx| {
            Box::pin(async move {
                if let Some(id) = id.uuid()
                    && let Some(registration) = registrations::get(tx, id).await?
                {
                    return Ok(registration.requested_at);
                }
                match users::get(tx, id).await? {
                    Some(user) if user.activated_at.is_none() => Ok(user.created_at),
                    Some(_) => Err(Problem::new(Code::TokenUsed)),
                    None => Err(Problem::new(Code::TokenRevoked)),
                }
            })
        })
        .await
}

/// "This was not me": the link is used up and the registration forgotten.
pub async fn withdraw(app: &App, client: Client, token: &RawToken) -> Result<(), Problem> {
    limits::token(app, client).await?;
    let (parts, raw) = (app.clone(), token.clone());
    app.store
        .run_tx("withdraw_registration", move |tx| {
            let (app, raw) = (parts.clone(), raw.clone());
            Box::pin(async move {
                let id = links::use_up::<Activate>(&app, tx, &raw).await?;
                if taken(tx, id).await?.is_none() {
                    return Err(Problem::from(Refused::Revoked));
                }
                audit::note(
                    tx,
                    "link",
                    "registration.withdrawn",
                    Some(&id.to_string()),
                    json!({}),
                )
                .await?;
                Ok::<_, Problem>(())
            })
        })
        .await
}
