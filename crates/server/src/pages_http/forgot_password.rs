//! `GET`, `POST /forgot-password`.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;

use super::form::Reader;
use crate::accounts::forgot;
use crate::app::App;
use crate::config::MailTransport;
use crate::http::pages::view::{CheckMail, CheckMailReason, ForgotPassword};
use crate::http::pages::{Fault, Lang};
use crate::http::{Client, Form, Problem};

/// What the form sends.
#[derive(Deserialize)]
pub(crate) struct Request {
    #[serde(default)]
    email: String,
}

/// The form.
pub(crate) async fn page(State(app): State<App>, lang: Lang) -> Response {
    shown(&app, lang, StatusCode::OK, String::new(), Vec::new())
}

/// Ask for a link; the answer is the same whether or not the address is known.
pub(crate) async fn submit(
    State(app): State<App>,
    lang: Lang,
    client: Client,
    Form(request): Form<Request>,
) -> Result<Response, Problem> {
    let mut reader = Reader::default();
    let Some(email) = reader.email(&request.email) else {
        return Ok(shown(
            &app,
            lang,
            StatusCode::UNPROCESSABLE_ENTITY,
            request.email,
            reader.faults,
        ));
    };
    forgot::ask(&app, client, &email).await?;
    let captured = matches!(app.config.mail.transport, MailTransport::Capture);
    let page = CheckMail {
        reason: CheckMailReason::PasswordForgotten,
        email: request.email,
        captured,
    };
    Ok(app.pages.answer(StatusCode::OK, &page, lang, app.now()))
}

fn shown(app: &App, lang: Lang, status: StatusCode, email: String, faults: Vec<Fault>) -> Response {
    app.pages
        .answer(status, &ForgotPassword { email, faults }, lang, app.now())
}
