//! `GET`, `POST /register`.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize as _;
use serde::de::IntoDeserializer;

use super::form::{Credentials, fault};
use crate::accounts::profile::LocaleTag;
use crate::accounts::register::{self, NewRegistration};
use crate::app::App;
use crate::config::MailTransport;
use crate::http::pages::view::{CheckMail, CheckMailReason, Register, RegistrationClosed};
use crate::http::pages::{Fault, Lang};
use crate::http::{Client, Code, Form, Problem};

/// The form.
pub(crate) async fn page(State(app): State<App>, lang: Lang) -> Result<Response, Problem> {
    if let Err(closed) = register::allowed(&app) {
        return Ok(refused(&app, lang, &closed));
    }
    Ok(shown(&app, lang, StatusCode::OK, String::new(), Vec::new()))
}

/// Register; the answer is the same whether or not the address is known.
pub(crate) async fn submit(
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
    let locale = LocaleTag::deserialize(IntoDeserializer::<serde::de::value::Error>::into_deserializer(
        lang.as_str(),
    ))
    .ok();
    let new = NewRegistration {
        email,
        password,
        locale,
        profile: None,
    };
    match register::ask(&app, client, new).await {
        Ok(()) => {
            let captured = matches!(app.config.mail.transport, MailTransport::Capture);
            let page = CheckMail {
                reason: CheckMailReason::Registered,
                email: request.email,
                captured,
            };
            Ok(app.pages.answer(StatusCode::OK, &page, lang, app.now()))
        }
        Err(problem) if matches!(problem.code(), Code::RegistrationClosed | Code::InvitationNeeded) => {
            Ok(refused(&app, lang, &problem))
        }
        Err(problem) => {
            let status = problem.status();
            let fault = fault(&app, problem, "password")?;
            Ok(shown(&app, lang, status, request.email, vec![fault]))
        }
    }
}

fn refused(app: &App, lang: Lang, problem: &Problem) -> Response {
    let page = RegistrationClosed {
        by_invitation: problem.code() == Code::InvitationNeeded,
    };
    app.pages.answer(problem.status(), &page, lang, app.now())
}

fn shown(app: &App, lang: Lang, status: StatusCode, email: String, faults: Vec<Fault>) -> Response {
    let page = Register {
        email,
        min_length: app.config.accounts.min_password_length,
        faults,
    };
    app.pages.answer(status, &page, lang, app.now())
}
