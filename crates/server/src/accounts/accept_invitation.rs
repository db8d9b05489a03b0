//! Open an account that was made for one, by choosing its password.

use axum::extract::State;
use gatepost_storage::users::UserRow;
use gatepost_storage::{Tx, UserId, audit, users};
use gatepost_tokens::{Activate, Invite};
use serde_json::json;

use super::invite::allowed;
use super::letters::{self, News};
use super::password::Password;
use super::profile;
use super::reset::Reset;
use super::user::User;
use crate::app::App;
use crate::events;
use crate::http::token::RawToken;
use crate::http::{Client, Code, Json, Problem, ProblemDocument};
use crate::limits;

/// Accept an invitation: the account is open from now on, with this password. Logs nobody in. A password that is refused
/// leaves the token usable.
#[utoipa::path(post, path = "/api/users/invitation/accept", tag = "users", request_body = Reset, responses(
    (status = 200, body = User),
    (status = 400, description = "`token_malformed`, `token_expired`, `token_used`, `token_revoked`, `token_wrong_purpose`", body = ProblemDocument, content_type = "application/problem+json"),
    (status = 403, description = "`registration_closed`; nothing is used up", body = ProblemDocument, content_type = "application/problem+json"),
    (status = 422, description = "`password_too_short`, `password_common`, `password_contextual`", body = ProblemDocument, content_type = "application/problem+json")))]
pub async fn accept(
    State(app): State<App>,
    client: Client,
    Json(body): Json<Reset>,
) -> Result<Json<User>, Problem> {
    choose(&app, client, &body.token, &body.password).await.map(Json)
}

/// Look at the token, judge the password, and only then use the token up.
pub async fn choose(
    app: &App,
    client: Client,
    token: &RawToken,
    password: &Password,
) -> Result<User, Problem> {
    limits::token(app, client).await?;
    let user = look(app, token).await?;
    let mut about = profile::texts(&user.profile);
    about.push(&user.email);
    app.policy.check(password, &about)?;
    let hash = app.hasher.hash(password).await?;

    let (parts, raw, id) = (app.clone(), token.clone(), user.id);
    app.store
        .run_tx("accept_invitation", move |tx| {
            let (app, raw, hash) = (parts.clone(), raw.clone(), hash.clone());
            Box::pin(async move {
                app.tokens.verify_in::<Invite>(tx, raw.expose()).await?;
                open(&app, tx, id, &hash).await
            })
        })
        .await
}

async fn open(app: &App, tx: &mut Tx<'_>, id: UserId, hash: &str) -> Result<User, Problem> {
    // Opened by an operator meanwhile, or by the link of another letter.
    if !users::accept_invitation(tx, id, hash).await? {
        return Err(Problem::new(Code::TokenRevoked));
    }
    let user = users::get(tx, id)
        .await?
        .ok_or_else(|| Problem::new(Code::TokenRevoked))?;
    let subject = id.to_string();
    app.tokens.void_in::<Invite>(tx, &subject).await?;
    app.tokens.void_in::<Activate>(tx, &subject).await?;
    letters::news(app, tx, News::Welcome, &subject, &user.locale, tx.now()).await?;
    audit::note(tx, "link", "invitation.accepted", Some(&subject), json!({})).await?;
    events::user::activated(tx, &user).await?;
    Ok(User::from(&user))
}

/// The account that a link would open, without using anything up: for the page with the form.
pub async fn look(app: &App, token: &RawToken) -> Result<UserRow, Problem> {
    allowed(app)?;
    let id: UserId = app.tokens.peek::<Invite>(token.expose()).await?.subject()?;
    let user = app
        .store
        .read("look_at_invitation", move |tx| Box::pin(users::get(tx, id)))
        .await?;
    match user {
        Some(user) if user.activated_at.is_none() => Ok(user),
        _ => Err(Problem::new(Code::TokenRevoked)),
    }
}
