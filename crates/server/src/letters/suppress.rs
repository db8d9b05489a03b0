//! Leave an address alone, and write to it again.

use gatepost_mail::{EmailAddress, MailError, Suppressor};
use gatepost_storage::audit;
use serde_json::json;

use crate::app::App;

/// Leave an address alone; false if that was so already.
pub(crate) async fn suppress(
    app: &App,
    address: &EmailAddress,
    reason: &str,
    actor: &str,
) -> Result<bool, MailError> {
    let (mailer, actor) = (app.mailer.clone(), actor.to_owned());
    let (address, reason) = (address.clone(), reason.to_owned());
    let done = app.store.run_tx("suppress_address", move |tx| {
        let (mailer, actor) = (mailer.clone(), actor.clone());
        let (address, reason) = (address.clone(), reason.clone());
        Box::pin(async move {
            let news = mailer
                .suppress_in(tx, &address, Suppressor::Hand, &reason)
                .await?;
            if news {
                let detail = json!({ "to": address.masked(), "reason": reason });
                audit::note(tx, &actor, "mail.suppressed", None, detail).await?;
            }
            Ok::<_, MailError>(news)
        })
    });
    done.await
}

/// Write to an address again; false if nothing kept it from being written to.
pub(crate) async fn unsuppress(app: &App, address: &EmailAddress, actor: &str) -> Result<bool, MailError> {
    let (mailer, actor, address) = (app.mailer.clone(), actor.to_owned(), address.clone());
    let done = app.store.run_tx("unsuppress_address", move |tx| {
        let (mailer, actor, address) = (mailer.clone(), actor.clone(), address.clone());
        Box::pin(async move {
            let news = mailer.unsuppress_in(tx, &address).await?;
            if news {
                let detail = json!({ "to": address.masked() });
                audit::note(tx, &actor, "mail.unsuppressed", None, detail).await?;
            }
            Ok::<_, MailError>(news)
        })
    });
    done.await
}
