//! Take a letter back, or send it again.

use gatepost_mail::MailError;
use gatepost_storage::audit;
use serde_json::json;
use uuid::Uuid;

use crate::accounts::letters::Letters;
use crate::app::App;

/// Send a letter again that has ended; the new delivery.
pub(crate) async fn resend(app: &App, id: Uuid, actor: &str) -> Result<Uuid, MailError> {
    let (mailer, letters, actor) = (app.mailer.clone(), Letters::new(app), actor.to_owned());
    let done = app.store.run_tx("resend_letter", move |tx| {
        let (mailer, letters, actor) = (mailer.clone(), letters.clone(), actor.clone());
        Box::pin(async move {
            let again = mailer.resend_in(tx, id, &letters, &actor).await?;
            let (subject, detail) = (id.to_string(), json!({ "as": again }));
            audit::note(tx, &actor, "mail.resent", Some(&subject), detail).await?;
            Ok::<_, MailError>(again)
        })
    });
    done.await
}

/// Take back a letter that nobody began to send.
pub(crate) async fn cancel(app: &App, id: Uuid, actor: &str) -> Result<(), MailError> {
    let (mailer, actor) = (app.mailer.clone(), actor.to_owned());
    let done = app.store.run_tx("cancel_letter", move |tx| {
        let (mailer, actor) = (mailer.clone(), actor.clone());
        Box::pin(async move {
            mailer.cancel_in(tx, id, &actor).await?;
            audit::note(tx, &actor, "mail.cancelled", Some(&id.to_string()), json!({})).await?;
            Ok::<_, MailError>(())
        })
    });
    done.await
}

/// Take back all letters of a template that nobody began to send, a few hundred at a time; how many.
pub(crate) async fn cancel_template(app: &App, template: &str, actor: &str) -> Result<u64, MailError> {
    let mut cancelled = 0;
    loop {
        let (mailer, template, actor) = (app.mailer.clone(), template.to_owned(), actor.to_owned());
        let some = app.store.run_tx("cancel_letters", move |tx| {
            let (mailer, template, actor) = (mailer.clone(), template.clone(), actor.clone());
            Box::pin(async move {
                let some = mailer.cancel_some_in(tx, &template, &actor).await?;
                if some > 0 {
                    let detail = json!({ "template": template, "letters": some });
                    audit::note(tx, &actor, "mail.cancelled", None, detail).await?;
                }
                Ok::<_, MailError>(some)
            })
        });
        match some.await? {
            0 => return Ok(cancelled),
            some => cancelled += some,
        }
    }
}
