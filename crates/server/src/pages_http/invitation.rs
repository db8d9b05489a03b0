//! `GET`, `POST /invitation`: the page behind the link of an invitation.

use axum::response::Response;

use super::link::{self, Behind, ForPassword};
use crate::accounts::{Password, accept_invitation as invitation};
use crate::app::App;
use crate::http::pages::view::{Invitation, InvitationAccepted, LinkKind, RegistrationClosed};
use crate::http::pages::{Fault, Lang};
use crate::http::token::RawToken;
use crate::http::{Client, Code, Problem};

pub(super) struct Link;

impl Behind for Link {
    const KIND: LinkKind = LinkKind::Invitation;
    type Page = Invitation;

    async fn look(app: &App, token: String, faults: Vec<Fault>) -> Result<Invitation, Problem> {
        let user = invitation::look(app, &RawToken::from(token.clone())).await?;
        Ok(Invitation {
            token,
            email: user.email,
            min_length: app.config.accounts.min_password_length,
            faults,
        })
    }

    fn failed(app: &App, lang: Lang, problem: Problem) -> Result<Response, Problem> {
        if problem.code() == Code::RegistrationClosed {
            let page = RegistrationClosed { by_invitation: false };
            return Ok(app.pages.answer(problem.status(), &page, lang, app.now()));
        }
        link::refused(app, lang, Self::KIND, problem)
    }
}

impl ForPassword for Link {
    type Done = InvitationAccepted;

    async fn choose(
        app: &App,
        client: Client,
        token: &RawToken,
        password: &Password,
    ) -> Result<InvitationAccepted, Problem> {
        let user = invitation::choose(app, client, token, password).await?;
        Ok(InvitationAccepted { email: user.email })
    }
}
