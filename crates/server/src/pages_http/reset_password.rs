//! `GET`, `POST /reset-password`: the page behind the link of a forgotten password.

use super::link::{Behind, ForPassword};
use crate::accounts::{Password, reset};
use crate::app::App;
use crate::http::pages::Fault;
use crate::http::pages::view::{LinkKind, PasswordReset, ResetPassword};
use crate::http::token::RawToken;
use crate::http::{Client, Problem};

pub(super) struct Link;

impl Behind for Link {
    const KIND: LinkKind = LinkKind::ResetPassword;
    type Page = ResetPassword;

    async fn look(app: &App, token: String, faults: Vec<Fault>) -> Result<ResetPassword, Problem> {
        reset::look(app, &RawToken::from(token.clone())).await?;
        Ok(ResetPassword {
            token,
            min_length: app.config.accounts.min_password_length,
            faults,
        })
    }
}

impl ForPassword for Link {
    type Done = PasswordReset;

    async fn choose(
        app: &App,
        client: Client,
        token: &RawToken,
        password: &Password,
    ) -> Result<PasswordReset, Problem> {
        reset::choose(app, client, token, password).await?;
        Ok(PasswordReset {})
    }
}
