//! Choose another password by the link of a letter.

use axum::extract::State;
use axum::http::StatusCode;
use gatepost_storage::{Tx, UserId, audit, users};
use gatepost_tokens::{ChangeEmail, ChangePassword, EndReason};
use serde::Deserialize;
use serde_json::json;
use utoipa::ToSchema;

use super::letters::{self, News};
use super::links;
use super::password::Password;
use super::profile;
use crate::app::App;
use crate::events;
use crate::events::user::How;
use crate::http::token::RawToken;
use crate::http::{Client, Code, Json, Problem, ProblemDocument};
use crate::limits;

/// The token of the letter's link, and the password to be.
#[derive(Debug, Deserialize, ToSchema)]
pub struct Reset {
    /// The token.
    pub token: RawToken,
    /// The new password. `new_password`, as djoser calls it, is understood too.
    #[serde(alias = "new_password")]
    pub password: Password,
    /// Beside the token of a link that Django's `PasswordResetTokenGenerator` made: the link's other part.
    #[serde(default)]
    pub uid: Option<String>,
}

/// Choose another password. Every session ends, every older token dies, and the owner is told. A password
/// that is refused leaves the token usable.
#[utoipa::path(post, path = "/api/users/password/reset", tag = "users", request_body = Reset, responses(
    (status = 204, description = "The password is changed; log in with it"),
    (status = 400, description = "`token_malformed`, `token_expired`, `token_used`, `token_revoked`, `token_wrong_purpose`", body = ProblemDocument, content_type = "application/problem+json"),
    (status = 422, description = "`password_too_short`, `password_common`, `password_contextual`", body = ProblemDocument, content_type = "application/problem+json")))]
pub async fn reset(
    State(app): State<App>,
    client: Client,
    Json(body): Json<Reset>,
) -> Result<StatusCode, Problem> {
    let token = links::whole(body.uid.as_deref(), body.token);
    choose(&app, client, &token, &body.password).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Look at the token, judge the password, and only then use the token up.
pub async fn choose(app: &App, client: Client, token: &RawToken, password: &Password) -> Result<(), Problem> {
    limits::token(app, client).await?;
    let id = links::look::<ChangePassword>(app, token).await?;
    let user = app
        .store
        .read("get_user", move |tx| Box::pin(users::get(tx, id)))
        .await?;
    let Some(user) = user.filter(|user| user.active) else {
        return Err(Problem::new(Code::TokenRevoked));
    };
    let mut about = profile::texts(&user.profile);
    about.push(&user.email);
    app.policy.check(password, &about)?;
    let hash = app.hasher.hash(password).await?;

    let (parts, raw) = (app.clone(), token.clone());
    app.store
        .run_tx("reset_password", move |tx| {
            let (app, raw, hash) = (parts.clone(), raw.clone(), hash.clone());
            Box::pin(async move {
                let id = links::use_up::<ChangePassword>(&app, tx, &raw).await?;
                put(&app, tx, id, &hash).await
            })
        })
        .await
}

async fn put(app: &App, tx: &mut Tx<'_>, id: UserId, hash: &str) -> Result<(), Problem> {
    let Some(user) = users::get(tx, id).await? else {
        return Err(Problem::new(Code::TokenRevoked));
    };
    if !users::change_password(tx, id, &user.password, hash).await? {
        return Err(Problem::new(Code::TokenRevoked));
    }
    let subject = id.to_string();
    app.tokens
        .end_all_sessions_in(tx, &subject, EndReason::PasswordChanged)
        .await?;
    app.tokens.void_in::<ChangePassword>(tx, &subject).await?;
    app.tokens.void_in::<ChangeEmail>(tx, &subject).await?;
    letters::news(app, tx, News::PasswordChanged, &subject, &user.locale, tx.now()).await?;
    audit::note(tx, "link", "password.reset", Some(&subject), json!({})).await?;
    events::user::password_changed(tx, id, How::Reset).await?;
    Ok(())
}

/// Whether the link can still be used, without using it: for the page with the form.
pub async fn look(app: &App, token: &RawToken) -> Result<(), Problem> {
    let id = links::look::<ChangePassword>(app, token).await?;
    let user = app
        .store
        .read("get_user", move |tx| Box::pin(users::get(tx, id)))
        .await?;
    if user.is_some_and(|user| user.active) {
        Ok(())
    } else {
        Err(Problem::new(Code::TokenRevoked))
    }
}
