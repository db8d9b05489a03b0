//! Log in with an address and a password.

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use gatepost_storage::known_devices::{self, Acquaintance};
use gatepost_storage::{Tx, audit, users};
use gatepost_tokens::Grant;
use serde::Deserialize;
use serde_json::json;
use utoipa::ToSchema;
use uuid::Uuid;

use super::arrival::{Arrival, FORGOTTEN};
use super::granted::{self, Granted};
use super::refresh_cookie;
use crate::accounts::hasher::Verdict;
use crate::accounts::letters;
use crate::accounts::{Email, Password};
use crate::app::App;
use crate::http::{Client, Code, Json, Problem, ProblemDocument};
use crate::limits;
use crate::pages_http::cookie;

/// Who logs in.
#[derive(Debug, Deserialize, ToSchema)]
pub struct Login {
    /// The address of the account.
    pub email: Email,
    /// Its password.
    pub password: Password,
}

/// Log in. A wrong password, an unknown address and a registration that nobody confirmed give the same answer
/// after the same work. A login from a device that the account has not been used from before is told to its owner.
#[utoipa::path(post, path = "/api/auth/login", tag = "auth", request_body = Login, responses(
    (status = 200, body = Granted),
    (status = 401, description = "`invalid_credentials`", body = ProblemDocument, content_type = "application/problem+json"),
    (status = 403, description = "`account_not_active`, `origin_refused`", body = ProblemDocument, content_type = "application/problem+json"),
    (status = 429, description = "`rate_limited`", body = ProblemDocument, content_type = "application/problem+json"),
    (status = 503, description = "`overloaded`, `dependency_unavailable`", body = ProblemDocument, content_type = "application/problem+json")))]
pub async fn login(
    State(app): State<App>,
    client: Client,
    headers: HeaderMap,
    Json(body): Json<Login>,
) -> Result<Response, Problem> {
    let mut arrival = Arrival::of(&app, client, &headers);
    let cookies = app.config.auth.refresh_cookie;
    if cookies {
        refresh_cookie::guard(&app, &headers)?;
        arrival = arrival.browser();
    }
    let grant = log_in(&app, client, &arrival, &body.email, &body.password).await?;
    let mut response = granted::answer(&app, grant);
    if cookies {
        cookie::add(&mut response, arrival.cookie(&app));
    }
    Ok(response)
}

/// Writes down that somebody has logged in, and tells the owner of a device that was not known.
pub(crate) async fn note(
    app: &App,
    tx: &mut Tx<'_>,
    subject: &str,
    locale: &str,
    marks: &[[u8; 32]],
    session: Uuid,
) -> Result<(), Problem> {
    let since = tx.now() - FORGOTTEN;
    if known_devices::note(tx, subject, marks, since).await? == Acquaintance::New {
        letters::new_device(app, tx, subject, locale, session).await?;
    }
    let (actor, detail) = (format!("user:{subject}"), json!({ "session": session }));
    audit::note(tx, &actor, "session.started", Some(subject), detail).await?;
    Ok(())
}

/// Open a session for whoever has the password.
pub async fn log_in(
    app: &App,
    client: Client,
    arrival: &Arrival,
    email: &Email,
    password: &Password,
) -> Result<Grant, Problem> {
    limits::login(app, client, email).await?;
    let canonical = email.canonical().to_owned();
    let user = app
        .store
        .read("find_user", move |tx| {
            Box::pin(async move { users::by_email(tx, &canonical).await })
        })
        .await?;
    app.hasher.look(&app.store).await?;
    let verdict = app
        .hasher
        .verify_user(
            password,
            user.as_ref().map(|user| user.password.as_str()),
            email.canonical(),
        )
        .await?;
    let (Some(user), Verdict::Right | Verdict::RightOutdated) = (user, verdict) else {
        // No id that would tell that there is one.
        tracing::info!(name = email.address().masked(), "a login was refused");
        return Err(Problem::new(Code::InvalidCredentials));
    };
    if !user.active {
        tracing::info!(user = %user.id, "a login was refused: the account is not active");
        return Err(Problem::new(Code::AccountNotActive));
    }
    let rehashed = match verdict {
        Verdict::RightOutdated => Some(app.hasher.hash(password).await?),
        _ => None,
    };
    let (parts, id, hash, locale) = (app.clone(), user.id, user.password, user.locale);
    let (session, marks) = (arrival.session.clone(), arrival.marks(app, &id.to_string()));
    let grant = app
        .store
        .run_tx("login", move |tx| {
            let (app, hash, rehashed, session) =
                (parts.clone(), hash.clone(), rehashed.clone(), session.clone());
            let (marks, locale) = (marks.clone(), locale.clone());
            Box::pin(async move {
                // The password was changed or the account switched off while we hashed.
                if !users::note_login(tx, id, &hash, rehashed.as_deref()).await? {
                    return Err(Problem::new(Code::InvalidCredentials));
                }
                let subject = id.to_string();
                let grant = app.tokens.start_session_in(tx, subject.clone(), session).await?;
                note(&app, tx, &subject, &locale, &marks, grant.sid).await?;
                Ok(grant)
            })
        })
        .await?;
    limits::login_succeeded(app, client, email).await;
    app.tokens.ripe(&grant).await;
    tracing::info!(user = %id, session = %grant.sid, "logged in");
    Ok(grant)
}
