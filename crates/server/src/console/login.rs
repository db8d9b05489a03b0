//! `GET`, `POST /console/login`.

use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use gatepost_storage::admins;
use serde::Deserialize;

use super::session::{self, NewCookie};
use crate::accounts::hasher::Verdict;
use crate::accounts::{Email, Password};
use crate::app::App;
use crate::cache::{Count, Rule};
use crate::http::pages::console::ConsoleLogin;
use crate::http::pages::view::Notice;
use crate::http::pages::{Fault, Lang};
use crate::http::{Client, Code, Form, Problem, Query};
use crate::pages_http::cookie;
use crate::pages_http::form::{Credentials, fault};

/// Passwords tried from one address.
const BY_CLIENT: Rule = Rule {
    name: "console.client",
    burst: 20,
    every: Duration::from_secs(10),
};
/// Passwords tried for one administrator from anywhere: NIST SP 800-63B-4 stops at 100 failures in a row.
const BY_ADMIN: Rule = Rule {
    name: "console.admin",
    burst: 50,
    every: Duration::from_secs(60),
};

/// What another page sent along.
#[derive(Deserialize)]
pub(super) struct Said {
    notice: Option<String>,
}

/// The form.
pub(super) async fn page(State(app): State<App>, lang: Lang, Query(said): Query<Said>) -> Response {
    let notice = match said.notice.as_deref() {
        Some("logged_out") => Some(Notice::LoggedOut),
        Some("administrator_ready") => Some(Notice::AdministratorReady),
        _ => None,
    };
    let page = ConsoleLogin {
        email: String::new(),
        faults: Vec::new(),
        notice,
    };
    app.pages.answer(StatusCode::OK, &page, lang, app.now())
}

/// Log in.
pub(super) async fn submit(
    State(app): State<App>,
    lang: Lang,
    client: Client,
    Form(mut request): Form<Credentials>,
) -> Result<Response, Problem> {
    let (email, password) = match request.read() {
        Ok(valid) => valid,
        Err(faults) => {
            let status = StatusCode::UNPROCESSABLE_ENTITY;
            return Ok(shown(&app, lang, status, request.email, faults));
        }
    };
    match log_in(&app, client, &email, &password).await {
        Ok(new) => {
            let mut response = Redirect::to("/console/inbox").into_response();
            cookie::add(&mut response, new.header(&app));
            Ok(response)
        }
        Err(problem) => {
            let status = problem.status();
            let fault = fault(&app, problem, "password")?;
            Ok(shown(&app, lang, status, request.email, vec![fault]))
        }
    }
}

/// The same work and the same answer, whether or not there is an administrator of this address.
async fn log_in(app: &App, client: Client, email: &Email, password: &Password) -> Result<NewCookie, Problem> {
    let now = app.now().as_micros();
    let whom = app.sealer.address_hash(email.address());
    let counts: [Count<'_>; 2] = [(&BY_CLIENT, &client.limit_key()), (&BY_ADMIN, &whom)];
    app.limits.take(&counts, now).await?;
    let canonical = email.canonical().to_owned();
    let found = app.store.read("find_admin", move |tx| {
        let canonical = canonical.clone();
        Box::pin(async move { admins::by_canonical(tx, &canonical).await })
    });
    let found = found
        .await?
        .and_then(|admin| Some((admin.id, admin.password_hash?)));
    let stored = found.as_ref().map(|(_, hash)| hash.as_str());
    let verdict = app.hasher.verify(password, stored).await?;
    let (Some((id, hash)), Verdict::Right | Verdict::RightOutdated) = (found, verdict) else {
        tracing::warn!(
            name = email.address().masked(),
            "a login to the console was refused"
        );
        return Err(Problem::new(Code::InvalidCredentials));
    };
    let new = NewCookie::make();
    let cookie = new.clone();
    let opened = app.store.run_tx("log_administrator_in", move |tx| {
        let (cookie, hash) = (cookie.clone(), hash.clone());
        Box::pin(async move { session::open(tx, id, &hash, &cookie).await })
    });
    if !opened.await? {
        return Err(Problem::new(Code::InvalidCredentials));
    }
    app.limits.forget(&counts[1..], now).await;
    tracing::info!(admin = %id, "an administrator logged in");
    Ok(new)
}

pub(super) fn shown(
    app: &App,
    lang: Lang,
    status: StatusCode,
    email: String,
    faults: Vec<Fault>,
) -> Response {
    app.pages.answer(
        status,
        &ConsoleLogin {
            email,
            faults,
            notice: None,
        },
        lang,
        app.now(),
    )
}
