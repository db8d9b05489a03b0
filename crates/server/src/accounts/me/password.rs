//! Change one's own password.

use axum::extract::State;
use axum::response::Response;
use gatepost_storage::users::{self, UserRow};
use gatepost_storage::{UserId, audit};
use gatepost_tokens::{ChangeEmail, ChangePassword, Grant};
use serde::Deserialize;
use serde_json::json;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{confirm, gone, row};
use crate::accounts::letters::{self, News};
use crate::accounts::{Password, profile};
use crate::app::App;
use crate::auth::granted::{self, Granted};
use crate::events;
use crate::events::user::How;
use crate::http::bearer::Bearer;
use crate::http::{Client, Code, Json, Problem, ProblemDocument};

/// So often the new password is tried to be put, where logins at the same moment have the old one hashed anew.
const TRIES: u32 = 3;

/// The old one and the new one.
#[derive(Debug, Deserialize, ToSchema)]
pub struct Change {
    /// The password that still holds.
    pub current: Password,
    /// The password to be.
    pub new: Password,
}

/// Change your password. This session goes on with the tokens in the answer; every older token and every other
/// session ends, a change of address that nobody confirmed yet is withdrawn, and a letter says so.
#[utoipa::path(post, path = "/api/users/me/password", tag = "users", request_body = Change, security(("access" = [])), responses(
    (status = 200, body = Granted),
    (status = 401, description = "`invalid_credentials`, `credentials_missing`, `token_*`", body = ProblemDocument, content_type = "application/problem+json"),
    (status = 422, description = "`password_too_short`, `password_common`, `password_contextual`", body = ProblemDocument, content_type = "application/problem+json"),
    (status = 429, description = "`rate_limited`", body = ProblemDocument, content_type = "application/problem+json")))]
pub async fn password(
    State(app): State<App>,
    bearer: Bearer,
    client: Client,
    Json(body): Json<Change>,
) -> Result<Response, Problem> {
    let grant = change(
        &app,
        client,
        bearer.user_id,
        bearer.session,
        &body.current,
        &body.new,
    )
    .await?;
    Ok(granted::answer(&app, grant))
}

/// Change the password of the user whose session this is.
pub async fn change(
    app: &App,
    client: Client,
    id: UserId,
    session: Uuid,
    current: &Password,
    new: &Password,
) -> Result<Grant, Problem> {
    let bearer = Bearer { user_id: id, session };
    let mut user = row(app, &bearer).await?;
    confirm(app, client, &user, current).await?;
    let mut about = profile::texts(&user.profile);
    about.push(&user.email);
    // The field is called `new` here, so the problem says so too.
    app.policy
        .check(new, &about)
        .map_err(|weak| Problem::weak("new", weak))?;
    let hash = app.hasher.hash(new).await?;
    for _ in 0..TRIES {
        if let Some(grant) = put(app, &bearer, &user, &hash).await? {
            app.tokens.ripe(&grant).await;
            return Ok(grant);
        }
        // A login at the same moment may have had the same password hashed anew.
        user = row(app, &bearer).await?;
        confirm(app, client, &user, current).await?;
    }
    Err(Problem::new(Code::InvalidCredentials).detail("The password was changed meanwhile."))
}

/// The new hash in the place of the one that was compared; `None` if that is not there any more.
async fn put(app: &App, bearer: &Bearer, user: &UserRow, hash: &str) -> Result<Option<Grant>, Problem> {
    let (id, session) = (bearer.user_id, bearer.session);
    let (parts, old) = (app.clone(), user.password.clone());
    let (hash, locale) = (hash.to_owned(), user.locale.clone());
    app.store
        .run_tx("change_password", move |tx| {
            let (app, old, hash, locale) = (parts.clone(), old.clone(), hash.clone(), locale.clone());
            Box::pin(async move {
                if !users::change_password(tx, id, &old, &hash).await? {
                    return Ok(None);
                }
                let subject = id.to_string();
                let grant = app
                    .tokens
                    .renew_session_in(tx, &subject, session)
                    .await?
                    .ok_or_else(gone)?;
                app.tokens.void_in::<ChangePassword>(tx, &subject).await?;
                app.tokens.void_in::<ChangeEmail>(tx, &subject).await?;
                letters::news(&app, tx, News::PasswordChanged, &subject, &locale, tx.now()).await?;
                let actor = format!("user:{subject}");
                audit::note(tx, &actor, "password.changed", Some(&subject), json!({})).await?;
                events::user::password_changed(tx, id, How::Changed).await?;
                Ok::<_, Problem>(Some(grant))
            })
        })
        .await
}
