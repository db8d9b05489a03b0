//! Log in: `TokenObtainPairView` and `TokenObtainSlidingView`.

use gatepost_storage::users::UserRow;
use gatepost_storage::{audit, users};
use gatepost_tokens::NewSession;
use gatepost_tokens::dialect::Obtained;
use secrecy::ExposeSecret as _;
use serde::Serialize;
use serde_json::json;

use super::answer::{Refusal, body};
use super::fields::Fields;
use crate::accounts::hasher::Verdict;
use crate::accounts::{Email, Password};
use crate::app::App;
use crate::config::UserSource;
use crate::http::Client;
use crate::limits;

#[derive(Serialize)]
struct Pair<'a> {
    refresh: &'a str,
    access: &'a str,
}

#[derive(Serialize)]
struct Sliding<'a> {
    token: &'a str,
}

const NOBODY: Refusal = Refusal::NoAccount("No active account found with the given credentials");

/// Says the same of nobody, of a wrong password and of an account that is switched off, after the same work.
pub(super) async fn obtain(
    app: &App,
    client: Client,
    session: NewSession,
    fields: &Fields,
    sliding: bool,
) -> Result<String, Refusal> {
    let [name, password] = fields.texts([app.config.username_field(), "password"])?;
    let name = name.expose_secret().to_owned();
    limits::login_by_name(app, client, &name).await?;
    let user = find(app, &name).await?;
    // What can be no password here is compared all the same, with a hash that nothing matches.
    let (password, possible) = match Password::parse(password.expose_secret()) {
        Ok(password) => (password, true),
        Err(_) => (
            Password::parse("x").map_err(crate::http::Problem::internal)?,
            false,
        ),
    };
    let stored = user
        .as_ref()
        .filter(|_| possible)
        .map(|user| user.password.as_str());
    let verdict = app
        .hasher
        .verify(&password, stored)
        .await
        .map_err(crate::http::Problem::from)?;
    let (Some(user), Verdict::Right | Verdict::RightOutdated) = (user, verdict) else {
        tracing::info!("a login was refused");
        return Err(NOBODY);
    };
    if !user.active {
        return Err(NOBODY);
    }
    let rehashed = match verdict {
        Verdict::RightOutdated => Some(
            app.hasher
                .hash(&password)
                .await
                .map_err(crate::http::Problem::from)?,
        ),
        _ => None,
    };
    let (parts, id, hash) = (app.clone(), user.id, user.password);
    let obtained = app
        .store
        .run_tx("obtain", move |tx| {
            let (app, hash, rehashed, session) =
                (parts.clone(), hash.clone(), rehashed.clone(), session.clone());
            Box::pin(async move {
                // The password was changed or the account switched off while we hashed.
                if !users::note_login(tx, id, &hash, rehashed.as_deref()).await? {
                    return Err(NOBODY);
                }
                let subject = id.to_string();
                let obtained = app.tokens.obtain_in(tx, &subject, session, sliding).await?;
                let actor = format!("user:{subject}");
                audit::note(tx, &actor, "session.started", Some(&subject), json!({})).await?;
                Ok(obtained)
            })
        })
        .await?;
    limits::login_by_name_succeeded(app, client, &name).await;
    app.tokens.ripe_obtained(&obtained).await;
    tracing::info!(user = %id, "logged in");
    match &obtained {
        Obtained::Pair(grant) => body(&Pair {
            refresh: &grant.refresh,
            access: &grant.access,
        }),
        Obtained::Sliding(token, _) => body(&Sliding { token }),
    }
}

/// As the source of accounts knows people: ours by their address, Django's by `USERNAME_FIELD`, exactly.
async fn find(app: &App, name: &str) -> Result<Option<UserRow>, Refusal> {
    let django = app.config.accounts.source == UserSource::Django;
    let key = match name.parse::<Email>() {
        _ if django => name.to_owned(),
        Ok(email) => email.canonical().to_owned(),
        Err(_) => return Ok(None),
    };
    let found = app.store.read("find_user", move |tx| {
        Box::pin(async move {
            if django {
                users::by_username(tx, &key).await
            } else {
                users::by_email(tx, &key).await
            }
        })
    });
    Ok(found.await?)
}
