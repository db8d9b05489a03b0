//! What the pages behind links in letters share.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{Redirect, Response};
use serde::Deserialize;

use super::form::{Reader, fault};
use crate::accounts::{Password, links, register};
use crate::app::App;
use crate::config::encode;
use crate::http::pages::view::{LinkKind, LinkRefusal, LinkRefused};
use crate::http::pages::{Fault, Lang, Page};
use crate::http::token::RawToken;
use crate::http::{Client, Code, Form, Problem, Query};

/// What a link carries.
#[derive(Deserialize)]
pub(super) struct Link {
    #[serde(default)]
    token: String,
}

/// What a form sends whose buttons answer a question: which one was pressed. A script that submits it by itself
/// presses none.
#[derive(Deserialize)]
pub(super) struct Answered {
    #[serde(default)]
    pub(super) token: String,
    #[serde(default)]
    pub(super) answer: String,
}

/// What a form sends that asks for a new password.
#[derive(Deserialize)]
pub(super) struct Chosen {
    #[serde(default)]
    token: String,
    #[serde(default)]
    password: String,
}

/// The page behind one kind of link.
pub(super) trait Behind {
    /// What its links are for.
    const KIND: LinkKind;
    /// What it shows while its link can be used.
    type Page: Page + Send;

    /// The page, above its form what was wrong the last time. Uses nothing up.
    fn look(
        app: &App,
        token: String,
        faults: Vec<Fault>,
    ) -> impl Future<Output = Result<Self::Page, Problem>> + Send;

    /// A link that does not work any more, as a page that says what to do; any other problem again.
    fn failed(app: &App, lang: Lang, problem: Problem) -> Result<Response, Problem> {
        refused(app, lang, Self::KIND, problem)
    }
}

/// A page whose form asks for a new password.
pub(super) trait ForPassword: Behind {
    /// What it shows when that is chosen.
    type Done: Page + Send;

    /// Chooses it. One that is refused leaves the link as it was.
    fn choose(
        app: &App,
        client: Client,
        token: &RawToken,
        password: &Password,
    ) -> impl Future<Output = Result<Self::Done, Problem>> + Send;
}

/// `GET` of a page behind a link.
pub(super) async fn page<B: Behind>(
    State(app): State<App>,
    lang: Lang,
    Query(link): Query<Link>,
) -> Result<Response, Problem> {
    shown::<B>(&app, lang, StatusCode::OK, link.token, Vec::new()).await
}

/// `POST` of a page whose form asks for a new password. Logs nobody in.
pub(super) async fn choose<B: ForPassword>(
    State(app): State<App>,
    lang: Lang,
    client: Client,
    Form(Chosen { token, password }): Form<Chosen>,
) -> Result<Response, Problem> {
    let mut reader = Reader::default();
    let Some(password) = reader.password("password", password) else {
        return shown::<B>(&app, lang, StatusCode::UNPROCESSABLE_ENTITY, token, reader.faults).await;
    };
    match B::choose(&app, client, &RawToken::from(token.clone()), &password).await {
        Ok(done) => Ok(app.pages.answer(StatusCode::OK, &done, lang, app.now())),
        Err(problem) => {
            let status = problem.status();
            match fault(&app, problem, "password") {
                Ok(fault) => shown::<B>(&app, lang, status, token, vec![fault]).await,
                Err(problem) => B::failed(&app, lang, problem),
            }
        }
    }
}

/// The page once more, since no button of it was pressed.
pub(super) async fn not_pressed<B: Behind>(
    app: &App,
    lang: Lang,
    token: String,
) -> Result<Response, Problem> {
    let (status, faults) = (StatusCode::UNPROCESSABLE_ENTITY, vec![Fault::new("press_needed")]);
    shown::<B>(app, lang, status, token, faults).await
}

/// The page as it is now, if its link can be used.
pub(super) async fn shown<B: Behind>(
    app: &App,
    lang: Lang,
    status: StatusCode,
    token: String,
    faults: Vec<Fault>,
) -> Result<Response, Problem> {
    match B::look(app, token, faults).await {
        Ok(page) => Ok(app.pages.answer(status, &page, lang, app.now())),
        Err(problem) => B::failed(app, lang, problem),
    }
}

/// A link that does not work any more, as a page that says what to do; any other problem again.
pub(super) fn refused(app: &App, lang: Lang, link: LinkKind, problem: Problem) -> Result<Response, Problem> {
    let reason = match problem.code() {
        Code::TokenExpired => LinkRefusal::Expired,
        Code::TokenUsed => LinkRefusal::Used,
        Code::TokenMalformed | Code::TokenRevoked | Code::TokenWrongPurpose => LinkRefusal::Unknown,
        _ => return Err(problem),
    };
    problem.log();
    let page = LinkRefused {
        link,
        reason,
        registration_open: register::allowed(app).is_ok(),
    };
    Ok(app.pages.answer(problem.status(), &page, lang, app.now()))
}

/// `GET /activate/{token}`: a link of the Python services.
pub(super) async fn activate(Path(token): Path<String>) -> Redirect {
    to("/activate", None, token)
}

/// `GET /activate/{uid}/{token}`: a link of djoser's.
pub(super) async fn activate_of(Path((uid, token)): Path<(String, String)>) -> Redirect {
    to("/activate", Some(&uid), token)
}

/// `GET /reset-password/{token}`: a link of the Python services.
pub(super) async fn reset(Path(token): Path<String>) -> Redirect {
    to("/reset-password", None, token)
}

/// `GET /reset-password/{uid}/{token}`, and as djoser and Django's own views have it.
pub(super) async fn reset_of(Path((uid, token)): Path<(String, String)>) -> Redirect {
    to("/reset-password", Some(&uid), token)
}

/// To the page that such a link means here. Nothing is looked at.
fn to(page: &str, uid: Option<&str>, token: String) -> Redirect {
    let whole = links::whole(uid, RawToken::from(token));
    Redirect::to(&format!("{page}?token={}", encode(whole.expose())))
}
