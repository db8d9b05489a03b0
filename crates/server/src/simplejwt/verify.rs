//! `TokenVerifyView`: whether a token is any good, whatever it is for.

use secrecy::ExposeSecret as _;

use super::answer::{Refusal, nothing};
use super::fields::Fields;
use crate::app::App;
use crate::http::Client;
use crate::limits;

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
