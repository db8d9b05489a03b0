//! `GET`, `POST /login`.

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;

use super::form::{Credentials, fault};
use super::visitor::{self, Visitor};
use super::{account, cookie};
use crate::accounts::register;
use crate::app::App;
use crate::auth::arrival::Arrival;
use crate::auth::login;
use crate::http::pages::view::Login;
use crate::http::pages::{Fault, Lang};
use crate::http::{Client, Form, Problem, Query};

/// What another page sent along.
#[derive(Deserialize)]
pub(crate) struct Said {
    notice: Option<String>,
}

/// The form.
pub(crate) async fn page(State(app): State<App>, lang: Lang, Query(said): Query<Said>) -> Response {
    let notice = said.notice.as_deref().and_then(account::notice);
    let page = Login {
        email: String::new(),
        faults: Vec::new(),
        notice,
        registration_open: register::allowed(&app).is_ok(),
    };
    app.pages.answer(StatusCode::OK, &page, lang, app.now())
}

/// Log in: an ordinary session, and a cookie that names it.
pub(crate) async fn submit(
    State(app): State<App>,
    lang: Lang,
    client: Client,
    headers: HeaderMap,
    Form(mut request): Form<Credentials>,
) -> Result<Response, Problem> {
    let (email, password) = match request.read() {
        Ok(valid) => valid,
        Err(faults) => {
            let status = StatusCode::UNPROCESSABLE_ENTITY;
            return Ok(shown(&app, lang, status, request.email, faults));
        }
    };
    let arrival = Arrival::of(&app, client, &headers).browser();
    let grant = match login::log_in(&app, client, &arrival, &email, &password).await {
        Ok(grant) => grant,
        Err(problem) => {
            let status = problem.status();
            let fault = fault(&app, problem, "password")?;
            return Ok(shown(&app, lang, status, request.email, vec![fault]));
        }
    };
    // The session that this browser had before would be left without a cookie.
    if let Some(before) = Visitor::of(&app, &headers).await? {
        before.log_out(&app).await?;
    }
    let user_id = grant.subject.parse().map_err(Problem::internal)?;
    let mut response = Redirect::to("/account").into_response();
    cookie::add(&mut response, visitor::cookie(&app, user_id, grant.sid)?);
    cookie::add(&mut response, arrival.cookie(&app));
    Ok(response)
}

fn shown(app: &App, lang: Lang, status: StatusCode, email: String, faults: Vec<Fault>) -> Response {
    app.pages.answer(
        status,
        &Login {
            email,
            faults,
            notice: None,
            registration_open: register::allowed(app).is_ok(),
        },
        lang,
        app.now(),
    )
}
