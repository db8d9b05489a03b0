//! `GET`, `POST /invitation`: the page behind the link of an invitation.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;

use super::form::{Reader, fault};
use super::link::{Link, refused};
use crate::accounts::accept_invitation as invitation;
use crate::app::App;
use crate::http::pages::view::{Invitation, InvitationAccepted, LinkKind, RegistrationClosed};
use crate::http::pages::{Fault, Lang};
use crate::http::token::RawToken;
use crate::http::{Client, Code, Form, Problem, Query};

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

/// Choose the password. One that is refused leaves the link as it was. Logs nobody in.
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
    match invitation::choose(&app, client, &RawToken::from(token.clone()), &password).await {
        Ok(user) => {
            let page = InvitationAccepted { email: user.email };
            Ok(app.pages.answer(StatusCode::OK, &page, lang, app.now()))
        }
        Err(problem) => {
            let status = problem.status();
            match fault(&app, problem, "password") {
                Ok(fault) => shown(&app, lang, status, token, vec![fault]).await,
                Err(problem) => failed(&app, lang, problem),
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
    match invitation::look(app, &RawToken::from(token.clone())).await {
        Ok(user) => {
            let page = Invitation {
                token,
                email: user.email,
                min_length: app.config.accounts.min_password_length,
                faults,
            };
            Ok(app.pages.answer(status, &page, lang, app.now()))
        }
        Err(problem) => failed(app, lang, problem),
    }
}

fn failed(app: &App, lang: Lang, problem: Problem) -> Result<Response, Problem> {
    if problem.code() == Code::RegistrationClosed {
        let page = RegistrationClosed { by_invitation: false };
        return Ok(app.pages.answer(problem.status(), &page, lang, app.now()));
    }
    refused(app, lang, LinkKind::Invitation, problem)
}
