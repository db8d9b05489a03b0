//! `POST /api/service/users`: an account, without a letter or with an invitation.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::accounts::invite as invitation;
use crate::accounts::profile::{LocaleTag, Profile};
use crate::accounts::users::{self, NewUser};
use crate::accounts::{Email, Password, User};
use crate::app::App;
use crate::http::{Code, Json, Problem};
use crate::service::api_key::{Allowed, UsersWrite};

/// The account to make.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = NewUser)]
pub struct Request {
    /// Its address, taken as confirmed unless `invite`.
    email: Email,
    /// Without one nobody can log in until a password is chosen with a link of `POST
    /// /api/users/password/forgot`.
    password: Option<Password>,
    /// Whether it may be used.
    #[serde(default = "yes")]
    #[schema(default = true)]
    active: bool,
    /// Send an invitation: the account is open when its owner has chosen a password by the link of a letter. Then there
    /// is no `password` here, and `active` says nothing.
    #[serde(default)]
    invite: bool,
    /// The language of its letters.
    locale: Option<LocaleTag>,
    /// Whatever the application keeps with it.
    profile: Option<Profile>,
}

fn yes() -> bool {
    true
}

/// Make an account
///
/// No letter is sent, unless `invite`. Registrations that wait for the same address are void. Takes the scope `users:write`.
#[utoipa::path(
    post, path = "/api/service/users", tag = "service", operation_id = "service_create_user", request_body = Request,
    responses(
        (status = 201, description = "Made", body = User),
        (status = "4XX", description = "Refused; `conflict`: the address has an account; `registration_closed`: no invitations here", body = crate::http::problem::ProblemDocument, content_type = "application/problem+json"),
    ),
    security(("api_key" = []))
)]
pub async fn create(
    State(app): State<App>,
    allowed: Allowed<UsersWrite>,
    Json(request): Json<Request>,
) -> Result<(StatusCode, Json<User>), Problem> {
    let Request {
        email,
        password,
        active,
        invite,
        locale,
        profile,
    } = request;
    if invite {
        invitation::allowed(&app)?;
        if password.is_some() {
            let text = "Who is invited chooses the password.";
            return Err(Problem::field("password", "invalid", text));
        }
    }
    let profile = profile.unwrap_or_default();
    let password_hash = match &password {
        None => None,
        Some(password) => {
            let mut about = vec![email.address().as_str()];
            about.extend(profile.texts());
            app.policy.check(password, &about)?;
            Some(app.hasher.hash(password).await?)
        }
    };
    let locale = locale.map_or_else(
        || app.config.mail.locale.as_str().to_owned(),
        |tag| tag.as_str().to_owned(),
    );
    let new = NewUser {
        email,
        password_hash,
        active: active && !invite,
        locale,
        profile: profile.into_value(),
    };
    let asked = Arc::new((new, allowed.key.actor(), app.clone()));
    let row = app
        .store
        .run_tx("create_user", move |tx| {
            let asked = asked.clone();
            Box::pin(async move {
                let (new, actor, app) = &*asked;
                if invite {
                    return invitation::invite(app, tx, actor, new).await;
                }
                users::create(tx, actor, new).await
            })
        })
        .await?;
    let row = row.ok_or_else(|| {
        Problem::new(Code::Conflict)
            .detail("There is an account of this address.")
            .and_field("email", "conflict", "There is an account of this address.")
    })?;
    Ok((StatusCode::CREATED, Json(User::from(&row))))
}
