//! `TokenBlacklistView`: log out.

use secrecy::ExposeSecret as _;

use super::answer::{Refusal, nothing};
use super::described::{Nothing, Refused};
use super::fields::Fields;
use crate::app::App;
use crate::auth::trail;
use crate::http::Client;
use crate::limits;

/// Log out as at `TokenBlacklistView`
///
/// The refresh token is blacklisted, here and for Django, and the access tokens that came with it stop working here.
///
/// Only with simplejwt's dialect, and under each prefix of `simplejwt.prefixes`: see the tag.
#[utoipa::path(post, path = "/api/token/blacklist/", tag = "simplejwt", operation_id = "simplejwt_blacklist",
    request_body(content((super::described::RefreshToken = "application/json"), (super::described::RefreshToken = "application/x-www-form-urlencoded"), (super::described::RefreshToken = "multipart/form-data"))),
    responses(
    (status = 200, body = Nothing),
    (status = 400, description = "A token that is missing or blank", body = HashMap<String, Vec<String>>),
    (status = 401, description = "The token does not count: `token_not_valid`", body = Refused),
    (status = 429, description = "Too many; `Retry-After` says when", body = Refused)))]
pub(super) async fn blacklist(app: &App, client: Client, fields: &Fields) -> Result<String, Refusal> {
    let [token] = fields.texts(["refresh"])?;
    limits::token(app, client).await?;
    let parts = app.clone();
    app.store
        .run_tx("simplejwt_blacklist", move |tx| {
            let (app, token) = (parts.clone(), token.clone());
            Box::pin(async move {
                app.tokens.blacklist_in(tx, token.expose_secret()).await?;
                trail::logged_out(&app, tx, token.expose_secret()).await?;
                Ok::<_, Refusal>(())
            })
        })
        .await?;
    Ok(nothing())
}
