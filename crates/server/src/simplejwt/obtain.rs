//! Log in: `TokenObtainPairView` and `TokenObtainSlidingView`.

use gatepost_storage::users;
use gatepost_storage::users::UserRow;
use gatepost_tokens::dialect::Obtained;
use secrecy::ExposeSecret as _;
use serde::Serialize;
use utoipa::ToSchema;

use super::answer::{Refusal, body};
use super::described::Refused;
use super::fields::Fields;
use crate::accounts::hasher::Verdict;
use crate::accounts::{Email, Password};
use crate::app::App;
use crate::auth::arrival::Arrival;
use crate::auth::login;
use crate::config::UserSource;
use crate::http::Client;
use crate::limits;

/// A refresh token and its access token.
#[derive(Serialize, ToSchema)]
pub(super) struct Pair<'a> {
    refresh: &'a str,
    access: &'a str,
}

#[derive(Serialize)]
struct Sliding<'a> {
    token: &'a str,
}

const NOBODY: Refusal = Refusal::NoAccount("No active account found with the given credentials");

/// Log in as at `TokenObtainPairView`
///
/// Says the same of nobody, of a wrong password and of an account that is switched off, after the same work.
///
/// Only with simplejwt's dialect, and under each prefix of `simplejwt.prefixes`: see the tag.
#[utoipa::path(post, path = "/api/token/", tag = "simplejwt", operation_id = "simplejwt_obtain",
    request_body(content((super::described::Credentials = "application/json"), (super::described::Credentials = "application/x-www-form-urlencoded"), (super::described::Credentials = "multipart/form-data"))),
    responses(
    (status = 200, body = Pair),
    (status = 400, description = "Fields that are missing or blank, by name", body = HashMap<String, Vec<String>>),
    (status = 401, description = "Nobody of that name and password may be here", body = Refused),
    (status = 429, description = "Too many; `Retry-After` says when", body = Refused)))]
pub(super) async fn obtain(
    app: &App,
    client: Client,
    arrival: &Arrival,
    fields: &Fields,
    sliding: bool,
) -> Result<String, Refusal> {
    let [name, password] = fields.texts([app.config.username_field(), "password"])?;
    let name = name.expose_secret().to_owned();
    limits::login_by_name(app, client, &name).await?;
    let (key, user) = find(app, &name).await?;
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
    app.hasher.look(&app.store).await?;
    let verdict = app
        .hasher
        .verify_user(&password, stored, &key)
        .await
        .map_err(crate::http::Problem::from)?;
    let (Some(user), Verdict::Right | Verdict::RightOutdated) = (user, verdict) else {
        tracing::info!(name = masked(&name), "a login was refused");
        return Err(NOBODY);
    };
    if !user.active {
        tracing::info!(user = %user.id, "a login was refused: the account is not active");
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
    let (parts, id, hash, locale) = (app.clone(), user.id, user.password, user.locale);
    let (session, marks) = (arrival.session.clone(), arrival.marks(app, &id.to_string()));
    let obtained = app
        .store
        .run_tx("obtain", move |tx| {
            let (app, hash, rehashed, session) =
                (parts.clone(), hash.clone(), rehashed.clone(), session.clone());
            let (marks, locale) = (marks.clone(), locale.clone());
            Box::pin(async move {
                // The password was changed or the account switched off while we hashed.
                if !users::note_login(tx, id, &hash, rehashed.as_deref()).await? {
                    return Err(NOBODY);
                }
                let subject = id.to_string();
                let obtained = app.tokens.obtain_in(tx, &subject, session, sliding).await?;
                login::note(&app, tx, &subject, &locale, &marks, obtained.sid()).await?;
                Ok(obtained)
            })
        })
        .await?;
    limits::login_by_name_succeeded(app, client, &name).await;
    app.tokens.ripe_obtained(&obtained).await;
    tracing::info!(user = %id, session = %obtained.sid(), "logged in");
    match &obtained {
        Obtained::Pair(grant) => body(&Pair {
            refresh: &grant.refresh,
            access: &grant.access,
        }),
        Obtained::Sliding { token, .. } => body(&Sliding { token }),
    }
}

/// For the log: the first letter, and of an address as everywhere.
fn masked(name: &str) -> String {
    match name.parse::<Email>() {
        Ok(email) => email.address().masked(),
        Err(_) => format!("{}***", name.chars().take(1).collect::<String>()),
    }
}

/// As the source of accounts knows people: ours by their address, Django's by `USERNAME_FIELD`, exactly. With the name
/// as it is compared.
async fn find(app: &App, name: &str) -> Result<(String, Option<UserRow>), Refusal> {
    let django = app.config.accounts.source == UserSource::Django;
    let key = match name.parse::<Email>() {
        _ if django => name.to_owned(),
        Ok(email) => email.canonical().to_owned(),
        Err(_) => return Ok((name.to_owned(), None)),
    };
    let wanted = key.clone();
    let found = app.store.read("find_user", move |tx| {
        Box::pin(async move {
            if django {
                users::by_username(tx, &wanted).await
            } else {
                users::by_email(tx, &wanted).await
            }
        })
    });
    Ok((key, found.await?))
}
