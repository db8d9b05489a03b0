//! `GET`, `POST /confirm-email`: the page behind the link of a new address.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use gatepost_mail::EmailAddress;

use super::link::{Answered, Behind, not_pressed, shown};
use crate::accounts::confirm_email as change;
use crate::app::App;
use crate::http::pages::view::{ConfirmEmail, EmailChangeWithdrawn, EmailConfirmed, LinkKind};
use crate::http::pages::{Fault, Lang};
use crate::http::token::RawToken;
use crate::http::{Client, Code, Form, Problem};

pub(super) struct Link;

impl Behind for Link {
    const KIND: LinkKind = LinkKind::ConfirmEmail;
    type Page = ConfirmEmail;

    async fn look(app: &App, token: String, faults: Vec<Fault>) -> Result<ConfirmEmail, Problem> {
        let change = change::look(app, &RawToken::from(token.clone())).await?;
        let old: EmailAddress = change.old_email.parse().map_err(Problem::internal)?;
        Ok(ConfirmEmail {
            token,
            email: change.email,
            old: old.masked(),
            asked_at: change.requested_at,
            faults,
        })
    }
}

/// A button was pressed. Logs nobody in.
pub(crate) async fn submit(
    State(app): State<App>,
    lang: Lang,
    client: Client,
    Form(request): Form<Answered>,
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
                return shown::<Link>(&app, lang, problem.status(), request.token, vec![fault]).await;
            }
            Err(problem) => Err(problem),
        },
        "not_me" => change::withdraw(&app, client, &token).await.map(|()| {
            app.pages
                .answer(StatusCode::OK, &EmailChangeWithdrawn {}, lang, app.now())
        }),
        _ => return not_pressed::<Link>(&app, lang, request.token).await,
    };
    done.or_else(|problem| Link::failed(&app, lang, problem))
}

fn confirmed(app: &App, lang: Lang, email: String, already: bool) -> Response {
    let page = EmailConfirmed { email, already };
    app.pages.answer(StatusCode::OK, &page, lang, app.now())
}
