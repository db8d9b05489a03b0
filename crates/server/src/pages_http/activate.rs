//! `GET`, `POST /activate`: the page behind the link of a registration.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use gatepost_storage::users;
use gatepost_tokens::Activate as Confirms;

use super::link::{Answered, Behind, not_pressed};
use crate::accounts::{activate, links};
use crate::app::App;
use crate::http::pages::view::{Activate, Activated, ActivationWithdrawn, LinkKind};
use crate::http::pages::{Fault, Lang};
use crate::http::token::RawToken;
use crate::http::{Client, Code, Form, Problem};

pub(super) struct Link;

impl Behind for Link {
    const KIND: LinkKind = LinkKind::Activate;
    type Page = Activate;

    async fn look(app: &App, token: String, faults: Vec<Fault>) -> Result<Activate, Problem> {
        let asked_at = activate::asked_at(app, &RawToken::from(token.clone())).await?;
        Ok(Activate {
            token,
            asked_at,
            faults,
        })
    }
}

/// A button was pressed. Logs nobody in: whoever opens a link need not be who chose the password.
pub(crate) async fn submit(
    State(app): State<App>,
    lang: Lang,
    client: Client,
    Form(request): Form<Answered>,
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
        _ => return not_pressed::<Link>(&app, lang, request.token).await,
    };
    done.or_else(|problem| Link::failed(&app, lang, problem))
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
