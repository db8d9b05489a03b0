//! Refresh: `TokenRefreshView` and `TokenRefreshSlidingView`.

use gatepost_tokens::NewSession;
use secrecy::ExposeSecret as _;
use serde::Serialize;

use super::answer::{Refusal, body};
use super::fields::Fields;
use crate::app::App;
use crate::http::Client;
use crate::limits;

#[derive(Serialize)]
struct Renewed<'a> {
    access: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh: Option<&'a str>,
}

#[derive(Serialize)]
struct Slid<'a> {
    token: &'a str,
}

/// A new access token, and a new refresh token where they are rotated.
pub(super) async fn refresh(
    app: &App,
    client: Client,
    session: NewSession,
    fields: &Fields,
) -> Result<String, Refusal> {
    let [token] = fields.texts(["refresh"])?;
    limits::token(app, client).await?;
    let parts = app.clone();
    let renewed = app
        .store
        .run_tx("simplejwt_refresh", move |tx| {
            let (app, token, session) = (parts.clone(), token.clone(), session.clone());
            Box::pin(async move {
                let renewed = app.tokens.renew_in(tx, token.expose_secret(), session).await?;
                Ok::<_, Refusal>(renewed)
            })
        })
        .await?;
    app.tokens.ripe_renewed(&renewed).await;
    body(&Renewed {
        access: &renewed.access,
        refresh: renewed.refresh.as_deref(),
    })
}

/// The same sliding token with new times.
pub(super) async fn slide(app: &App, client: Client, fields: &Fields) -> Result<String, Refusal> {
    let [token] = fields.texts(["token"])?;
    limits::token(app, client).await?;
    let parts = app.clone();
    let slid = app
        .store
        .read("simplejwt_slide", move |tx| {
            Box::pin(async move {
                let slid = parts.tokens.slide_in(tx, token.expose_secret()).await?;
                Ok::<_, Refusal>(slid)
            })
        })
        .await?;
    body(&Slid { token: &slid })
}
