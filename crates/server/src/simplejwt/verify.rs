//! `TokenVerifyView`: whether a token is any good, whatever it is for.

use secrecy::ExposeSecret as _;

use super::answer::{Refusal, nothing};
use super::described::{Nothing, Refused};
use super::fields::Fields;
use crate::app::App;
use crate::http::Client;
use crate::limits;

/// Verify as at `TokenVerifyView`
///
/// Whether a token is any good, whatever it is for. Nothing is used up. It does not ask for the user, nor whether an access
/// token was revoked: that is `POST /api/auth/verify`.
///
/// Only with simplejwt's dialect, and under each prefix of `simplejwt.prefixes`: see the tag.
#[utoipa::path(post, path = "/api/token/verify/", tag = "simplejwt", operation_id = "simplejwt_verify",
    request_body(content((super::described::AnyToken = "application/json"), (super::described::AnyToken = "application/x-www-form-urlencoded"), (super::described::AnyToken = "multipart/form-data"))),
    responses(
    (status = 200, body = Nothing),
    (status = 400, description = "A token that is missing, blank or (with `simplejwt.blacklist_after_rotation`) blacklisted", body = HashMap<String, Vec<String>>),
    (status = 401, description = "The token does not count: `token_not_valid`", body = Refused),
    (status = 429, description = "Too many; `Retry-After` says when", body = Refused)))]
pub(super) async fn verify(app: &App, client: Client, fields: &Fields) -> Result<String, Refusal> {
    let [token] = fields.texts(["token"])?;
    limits::token(app, client).await?;
    let parts = app.clone();
    let good = app
        .store
        .read("simplejwt_verify", move |tx| {
            Box::pin(async move {
                let good = parts.tokens.verify_any_in(tx, token.expose_secret()).await?;
                Ok::<_, Refusal>(good)
            })
        })
        .await?;
    if good {
        return Ok(nothing());
    }
    // The one refusal of a token there that is 400.
    let text = "Token is blacklisted".to_owned();
    Err(Refusal::Fields(vec![("non_field_errors".to_owned(), vec![text])]))
}
