//! `GET`, `POST /activate`: the page behind the link of a registration.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use gatepost_storage::users;
use gatepost_tokens::Activate as Confirms;
use serde::Deserialize;

use super::link::{Link, refused};
use crate::accounts::{activate, links};
use crate::app::App;
use crate::http::pages::view::{Activate, Activated, ActivationWithdrawn, LinkKind};
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

/// A button was pressed. Logs nobody in: whoever opens a link need not be who chose the password.
pub(crate) async fn submit(
    State(app): State<App>,
    lang: Lang,
    client: Client,
    Form(request): Form<Request>,
) -> Result<Response, Problem> {
    let token = RawToken::from(request.token.clone());
    let done = match request.answer.as_str() {
        "activate" => match activate::press(&app, client, &token).await {
            Ok(_) => Ok(app
                .pages
                .answer(StatusCode::OK, &Activated { already: false }, lang, app.now())),
            Err(problem) if problem.code() == Code::TokenUsed && is_active(&app, &token).await? => Ok(app
                .pages
                .answer(StatusCode::OK, &Activated { already: true }, lang, app.now())),
            Err(problem) => Err(problem),
        },
        "not_me" => activate::withdraw(&app, client, &token).await.map(|()| {
            app.pages
                .answer(StatusCode::OK, &ActivationWithdrawn {}, lang, app.now())
        }),
        _ => {
            let fault = Fault::new("press_needed");
            return shown(
                &app,
                lang,
                StatusCode::UNPROCESSABLE_ENTITY,
                request.token,
                vec![fault],
            )
            .await;
        }
    };
    done.or_else(|problem| refused(&app, lang, LinkKind::Activate, problem))
}

/// Whether a link that was used opened the account: it may as well have been withdrawn.
async fn is_active(app: &App, token: &RawToken) -> Result<bool, Problem> {
    let Some(id) = links::named::<Confirms>(app, token).await else {
        return Ok(false);
    };
    let user = app.store.read("is_activated", move |tx| {
        Box::pin(async move { users::get(tx, id).await })
    });
    Ok(user.await?.is_some_and(|user| user.active))
}

async fn shown(
    app: &App,
    lang: Lang,
    status: StatusCode,
    token: String,
    faults: Vec<Fault>,
) -> Result<Response, Problem> {
    match activate::asked_at(app, &RawToken::from(token.clone())).await {
        Ok(asked_at) => Ok(app.pages.answer(
            status,
            &Activate {
                token,
                asked_at,
                faults,
            },
            lang,
            app.now(),
        )),
        Err(problem) => refused(app, lang, LinkKind::Activate, problem),
    }
}
