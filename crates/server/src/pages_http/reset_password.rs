//! `GET`, `POST /reset-password`: the page behind the link of a forgotten password.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;

use super::form::{Reader, fault};
use super::link::{Link, refused};
use crate::accounts::reset;
use crate::app::App;
use crate::http::pages::view::{LinkKind, PasswordReset, ResetPassword};
use crate::http::pages::{Fault, Lang};
use crate::http::token::RawToken;
use crate::http::{Client, Form, Problem, Query};

/// What the form sends.
#[derive(Deserialize)]
pub(crate) struct Request {
    #[serde(default)]
    token: String,
    #[serde(default)]
    password: String,
}

/// The form. Uses nothing up.
pub(crate) async fn page(
    State(app): State<App>,
    lang: Lang,
    Query(link): Query<Link>,
) -> Result<Response, Problem> {
    shown(&app, lang, StatusCode::OK, link.token, Vec::new()).await
}

/// Choose the new password. One that is refused leaves the link as it was.
pub(crate) async fn submit(
    State(app): State<App>,
    lang: Lang,
    client: Client,
    Form(request): Form<Request>,
) -> Result<Response, Problem> {
    let Request { token, password } = request;
    let mut reader = Reader::default();
    let Some(password) = reader.password("password", password) else {
        return shown(&app, lang, StatusCode::UNPROCESSABLE_ENTITY, token, reader.faults).await;
    };
    match reset::choose(&app, client, &RawToken::from(token.clone()), &password).await {
        Ok(()) => Ok(app
            .pages
            .answer(StatusCode::OK, &PasswordReset {}, lang, app.now())),
        Err(problem) => {
            let status = problem.status();
            match fault(&app, problem, "password") {
                Ok(fault) => shown(&app, lang, status, token, vec![fault]).await,
                Err(problem) => refused(&app, lang, LinkKind::ResetPassword, problem),
            }
        }
    }
}

async fn shown(
    app: &App,
    lang: Lang,
    status: StatusCode,
    token: String,
    faults: Vec<Fault>,
) -> Result<Response, Problem> {
    match reset::look(app, &RawToken::from(token.clone())).await {
        Ok(()) => {
            let page = ResetPassword {
                token,
                min_length: app.config.accounts.min_password_length,
                faults,
            };
            Ok(app.pages.answer(status, &page, lang, app.now()))
        }
        Err(problem) => refused(app, lang, LinkKind::ResetPassword, problem),
    }
}
