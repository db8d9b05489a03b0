//! `GET`, `POST /account`: where somebody is logged in, another password, and the ways out.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use gatepost_storage::users::{self, UserRow};
use serde::Deserialize;

use super::cookie;
use super::form::{Reader, fault};
use super::visitor::{self, Visitor};
use crate::accounts::me::email::ask as ask_for_email;
use crate::accounts::me::password::change as change_password;
use crate::app::App;
use crate::auth::logout_everywhere::end_all;
use crate::auth::sessions::end::end_one;
use crate::http::bearer::Bearer;
use crate::http::pages::view::{Account, Notice, SessionRow};
use crate::http::pages::{Fault, Lang};
use crate::http::{Client, Code, Form, Problem, Query};

/// What the last press of a button did.
#[derive(Deserialize)]
pub(crate) struct Said {
    notice: Option<String>,
}

/// What the forms send.
#[derive(Deserialize)]
pub(crate) struct Request {
    #[serde(default)]
    csrf: String,
    #[serde(default)]
    action: String,
    #[serde(default)]
    current: String,
    #[serde(default)]
    new: String,
    #[serde(default)]
    session: String,
    #[serde(default)]
    email: String,
    #[serde(default)]
    password: String,
}

/// What is shown beside the account itself.
#[derive(Default)]
struct Told {
    faults: Vec<Fault>,
    notice: Option<Notice>,
    new_email: String,
}

impl Told {
    fn of(faults: Vec<Fault>) -> Self {
        Self {
            faults,
            ..Self::default()
        }
    }
}

/// The page.
pub(crate) async fn page(
    State(app): State<App>,
    lang: Lang,
    visitor: Visitor,
    Query(said): Query<Said>,
) -> Result<Response, Problem> {
    let notice = said.notice.as_deref().and_then(self::notice);
    let told = Told {
        notice,
        ..Told::default()
    };
    shown(&app, lang, StatusCode::OK, &visitor, told).await
}

/// A button was pressed. What went well is told on the page that follows, so that loading it again presses
/// nothing twice.
pub(crate) async fn submit(
    State(app): State<App>,
    lang: Lang,
    client: Client,
    visitor: Visitor,
    Form(request): Form<Request>,
) -> Result<Response, Problem> {
    if !visitor.sent(&app, &request.csrf) {
        let told = Told::of(vec![Fault::new("form_forged")]);
        return shown(&app, lang, StatusCode::FORBIDDEN, &visitor, told).await;
    }
    match request.action.as_str() {
        "change_password" => change(&app, lang, client, &visitor, request).await,
        "change_email" => change_email(&app, lang, client, &visitor, request).await,
        "end_session" => {
            let Ok(session) = request.session.parse() else {
                return Err(Problem::not_found());
            };
            end_one(&app, visitor.user_id, session).await?;
            Ok(Redirect::to("/account?notice=session_ended").into_response())
        }
        "logout" => {
            visitor.log_out(&app).await?;
            Ok(out(&app, "/login?notice=logged_out"))
        }
        "logout_everywhere" => {
            end_all(&app, visitor.user_id).await?;
            Ok(out(&app, "/login?notice=logged_out_everywhere"))
        }
        _ => {
            let told = Told::of(vec![Fault::new("press_needed")]);
            shown(&app, lang, StatusCode::UNPROCESSABLE_ENTITY, &visitor, told).await
        }
    }
}

async fn change(
    app: &App,
    lang: Lang,
    client: Client,
    visitor: &Visitor,
    request: Request,
) -> Result<Response, Problem> {
    let mut reader = Reader::default();
    let (current, new) = (
        reader.password("current", request.current),
        reader.password("new", request.new),
    );
    let (Some(current), Some(new)) = (current, new) else {
        let told = Told::of(reader.faults);
        return shown(app, lang, StatusCode::UNPROCESSABLE_ENTITY, visitor, told).await;
    };
    match change_password(app, client, visitor.user_id, visitor.sid, &current, &new).await {
        Ok(grant) => {
            let mut response = Redirect::to("/account?notice=password_changed").into_response();
            cookie::add(&mut response, visitor::cookie(app, visitor.user_id, grant.sid)?);
            Ok(response)
        }
        Err(problem) => {
            let (status, code) = (problem.status(), problem.code());
            let mut fault = fault(app, problem, "new")?;
            if code == Code::InvalidCredentials {
                fault = Fault::new("wrong_password").on("current");
            }
            shown(app, lang, status, visitor, Told::of(vec![fault])).await
        }
    }
}

async fn change_email(
    app: &App,
    lang: Lang,
    client: Client,
    visitor: &Visitor,
    request: Request,
) -> Result<Response, Problem> {
    let mut reader = Reader::default();
    let (email, password) = (
        reader.email(&request.email),
        reader.password("password", request.password),
    );
    let told = |faults| Told {
        faults,
        new_email: request.email.clone(),
        notice: None,
    };
    let (Some(email), Some(password)) = (email, password) else {
        let status = StatusCode::UNPROCESSABLE_ENTITY;
        return shown(app, lang, status, visitor, told(reader.faults)).await;
    };
    let bearer = Bearer {
        user_id: visitor.user_id,
        session: visitor.sid,
    };
    match ask_for_email(app, client, &bearer, &email, &password).await {
        Ok(()) => Ok(Redirect::to("/account?notice=email_change_asked").into_response()),
        Err(problem) => {
            let status = problem.status();
            let fault = match problem.code() {
                Code::InvalidCredentials => Fault::new("wrong_password").on("password"),
                Code::ValidationFailed => Fault::new("unchanged").on("email"),
                _ => fault(app, problem, "password")?,
            };
            shown(app, lang, status, visitor, told(vec![fault])).await
        }
    }
}

fn out(app: &App, to: &str) -> Response {
    let mut response = Redirect::to(to).into_response();
    cookie::add(&mut response, visitor::no_cookie(app));
    response
}

async fn shown(
    app: &App,
    lang: Lang,
    status: StatusCode,
    visitor: &Visitor,
    told: Told,
) -> Result<Response, Problem> {
    let id = visitor.user_id;
    let user: Option<UserRow> = app
        .store
        .read("show_account", move |tx| {
            Box::pin(async move { users::get(tx, id).await })
        })
        .await?;
    let Some(user) = user.filter(|user| user.active) else {
        return Ok(out(app, "/login?notice=login_needed"));
    };
    let sessions = visitor.sessions.iter().map(|session| SessionRow {
        id: session.id.to_string(),
        current: session.id == visitor.sid,
        device: session.user_agent.clone(),
        address: session.ip.clone(),
        started_at: session.created_at,
        last_seen_at: session.last_used_at,
    });
    let page = Account {
        csrf: visitor.csrf(app),
        email: user.email,
        created_at: user.created_at,
        sessions: sessions.collect(),
        min_length: app.config.accounts.min_password_length,
        new_email: told.new_email,
        faults: told.faults,
        notice: told.notice,
    };
    Ok(app.pages.answer(status, &page, lang, app.now()))
}

/// The notice of that name; what is no name of one says nothing.
pub(super) fn notice(name: &str) -> Option<Notice> {
    Some(match name {
        "logged_out" => Notice::LoggedOut,
        "logged_out_everywhere" => Notice::LoggedOutEverywhere,
        "password_changed" => Notice::PasswordChanged,
        "email_change_asked" => Notice::EmailChangeAsked,
        "session_ended" => Notice::SessionEnded,
        "login_needed" => Notice::LoginNeeded,
        _ => return None,
    })
}
