//! `GET`, `POST /confirm-email`: the page behind the link of a new address.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use gatepost_mail::EmailAddress;
use serde::Deserialize;

use super::link::{Link, refused};
use crate::accounts::confirm_email as change;
use crate::app::App;
use crate::http::pages::view::{ConfirmEmail, EmailChangeWithdrawn, EmailConfirmed, LinkKind};
use crate::http::pages::{Fault, Lang};
use crate::http::token::RawToken;
use crate::http::{Client, Code, Form, Problem, Query};

/// What the form sends: which button was pressed. A script that submits it by itself presses none.
#[derive(Deserialize)]
pub(crate) struct Request {
    #[serde(default)]
    token: String,
    #[serde(default)]
    answer: String,
}

/// The page with its buttons. Uses nothing up.
pub(crate) async fn page(
    State(app): State<App>,
    lang: Lang,
    Query(link): Query<Link>,
) -> Result<Response, Problem> {
    shown(&app, lang, StatusCode::OK, link.token, Vec::new()).await
}

/// A button was pressed. Logs nobody in.
pub(crate) async fn submit(
    State(app): State<App>,
    lang: Lang,
    client: Client,
    Form(request): Form<Request>,
) -> Result<Response, Problem> {
    let token = RawToken::from(request.token.clone());
    let done = match request.answer.as_str() {
        "confirm" => match change::press(&app, client, &token).await {
            Ok(user) => Ok(confirmed(&app, lang, user.email, false)),
            Err(problem) if problem.code() == Code::TokenUsed => match change::done(&app, &token).await? {
                Some(email) => Ok(confirmed(&app, lang, email, true)),
                None => Err(problem),
            },
            Err(problem) if problem.code() == Code::EmailTaken => {
                let fault = Fault::new(problem.code().as_str());
                return shown(&app, lang, problem.status(), request.token, vec![fault]).await;
            }
            Err(problem) => Err(problem),
        },
        "not_me" => change::withdraw(&app, client, &token).await.map(|()| {
            app.pages
                .answer(StatusCode::OK, &EmailChangeWithdrawn {}, lang, app.now())
        }),
        _ => {
            let (status, faults) = (StatusCode::UNPROCESSABLE_ENTITY, vec![Fault::new("press_needed")]);
            return shown(&app, lang, status, request.token, faults).await;
        }
    };
    done.or_else(|problem| refused(&app, lang, LinkKind::ConfirmEmail, problem))
}

fn confirmed(app: &App, lang: Lang, email: String, already: bool) -> Response {
    let page = EmailConfirmed { email, already };
    app.pages.answer(StatusCode::OK, &page, lang, app.now())
}

async fn shown(
    app: &App,
    lang: Lang,
    status: StatusCode,
    token: String,
    faults: Vec<Fault>,
) -> Result<Response, Problem> {
    let change = match change::look(app, &RawToken::from(token.clone())).await {
        Ok(change) => change,
        Err(problem) => return refused(app, lang, LinkKind::ConfirmEmail, problem),
    };
    let old: EmailAddress = change.old_email.parse().map_err(Problem::internal)?;
    let page = ConfirmEmail {
        token,
        email: change.email,
        old: old.masked(),
        asked_at: change.requested_at,
        faults,
    };
    Ok(app.pages.answer(status, &page, lang, app.now()))
}
