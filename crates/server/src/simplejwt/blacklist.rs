//! `TokenBlacklistView`: log out.

use secrecy::ExposeSecret as _;

use super::answer::{Refusal, nothing};
use super::fields::Fields;
use crate::app::App;
use crate::http::Client;
use crate::limits;

pub(super) async fn blacklist(app: &App, client: Client, fields: &Fields) -> Result<String, Refusal> {
    let [token] = fields.texts(["refresh"])?;
    limits::token(app, client).await?;
    let parts = app.clone();
    app.store
        .run_tx("simplejwt_blacklist", move |tx| {
            let (app, token) = (parts.clone(), token.clone());
            Box::pin(async move {
                app.tokens.blacklist_in(tx, token.expose_secret()).await?;
                Ok::<_, Refusal>(())
            })
        })
        .await?;
    Ok(nothing())
}
