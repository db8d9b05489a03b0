//! `GET`, `POST /console/set-up`: the one-time link that `gatepost admin link` prints.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use gatepost_storage::audit;
use serde::Deserialize;
use serde_json::json;

use super::administrators::{self, SetUp};
use super::login;
use crate::accounts::{Email, Password};
use crate::app::App;
use crate::http::pages::console::ConsoleSetUp;
use crate::http::pages::{Fault, Lang};
use crate::http::{Client, Form, Problem, Query};
use crate::limits;
use crate::pages_http::form::{Reader, fault};

/// What the link carries.
#[derive(Deserialize)]
pub(super) struct Link {
    #[serde(default)]
    token: String,
}

/// What the form sends; `email` only with the first administrator's link.
#[derive(Deserialize)]
pub(super) struct Request {
    #[serde(default)]
    token: String,
    #[serde(default)]
    email: String,
    #[serde(default)]
    password: String,
}

/// The form. Uses nothing up.
pub(super) async fn page(
    State(app): State<App>,
    lang: Lang,
    client: Client,
    Query(link): Query<Link>,
) -> Result<Response, Problem> {
    limits::token(&app, client).await?;
    shown(&app, lang, StatusCode::OK, link.token, Vec::new()).await
}

/// Choose a password. One that is refused leaves the link as it was.
pub(super) async fn submit(
    State(app): State<App>,
    lang: Lang,
    client: Client,
    Form(request): Form<Request>,
) -> Result<Response, Problem> {
    limits::token(&app, client).await?;
    let Request {
        token,
        email: typed,
        password,
    } = request;
    let Some(known) = peek(&app, &token).await? else {
        return Ok(gone(&app, lang));
    };
    let mut reader = Reader::default();
    let email: Option<Email> = if known.is_empty() {
        reader.email(&typed)
    } else {
        known.parse().ok()
    };
    let password = reader.password("password", password);
    let (Some(email), Some(password)) = (email, password) else {
        return shown(&app, lang, StatusCode::UNPROCESSABLE_ENTITY, token, reader.faults).await;
    };
    match set(&app, &token, email, password).await {
        Ok(SetUp::Done(admin)) => {
            tracing::info!(admin = %admin.id, "an administrator set a password");
            Ok(Redirect::to("/console/login?notice=administrator_ready").into_response())
        }
        Ok(SetUp::LinkGone) => Ok(gone(&app, lang)),
        Ok(SetUp::EmailNeeded) => {
            let faults = vec![Fault::new("required").on("email")];
            shown(&app, lang, StatusCode::UNPROCESSABLE_ENTITY, token, faults).await
        }
        Ok(SetUp::EmailTaken) => {
            let fault = Fault::new("conflict")
                .on("email")
                .detail("There is an administrator of this address already.");
            shown(&app, lang, StatusCode::CONFLICT, token, vec![fault]).await
        }
        Err(problem) => {
            let status = problem.status();
            let fault = fault(&app, problem, "password")?;
            shown(&app, lang, status, token, vec![fault]).await
        }
    }
}

async fn set(app: &App, token: &str, email: Email, password: Password) -> Result<SetUp, Problem> {
    app.policy.check(&password, &[email.address().as_str()])?;
    let hash = app.hasher.hash(&password).await?;
    let asked = Arc::new((token.to_owned(), email, hash));
    app.store
        .run_tx("set_up_administrator", move |tx| {
            let asked = asked.clone();
            Box::pin(async move {
                let (token, email, hash) = &*asked;
                let done = administrators::use_link(tx, token, Some(email.address()), hash).await?;
                if let SetUp::Done(admin) = &done {
                    audit::note(
                        tx,
                        "link",
                        "console.password_set",
                        None,
                        json!({ "admin": admin.id }),
                    )
                    .await?;
                }
                Ok::<_, Problem>(done)
            })
        })
        .await
}

/// Whom the link is for: an address, or none for the first administrator. Nothing if the link is over.
async fn peek(app: &App, token: &str) -> Result<Option<String>, Problem> {
    let token = token.to_owned();
    let link = app.store.read("look_at_set_up_link", move |tx| {
        let token = token.clone();
        Box::pin(async move { administrators::peek_link(tx, &token).await })
    });
    Ok(link
        .await?
        .map(|link| link.admin.map(|admin| admin.email).unwrap_or_default()))
}

async fn shown(
    app: &App,
    lang: Lang,
    status: StatusCode,
    token: String,
    faults: Vec<Fault>,
) -> Result<Response, Problem> {
    let Some(email) = peek(app, &token).await? else {
        return Ok(gone(app, lang));
    };
    let page = ConsoleSetUp {
        token,
        email,
        min_length: app.config.accounts.min_password_length,
        faults,
    };
    Ok(app.pages.answer(status, &page, lang, app.now()))
}

/// The link is over: to log in, or to have another one made.
fn gone(app: &App, lang: Lang) -> Response {
    let fault = Fault::new("set_up_link_gone")
        .detail("This set-up link has been used or is over. `gatepost admin link` prints another one.");
    login::shown(app, lang, StatusCode::GONE, String::new(), vec![fault])
}
