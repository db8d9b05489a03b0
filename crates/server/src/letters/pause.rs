//! Let letters wait, and let them go on.

use gatepost_mail::{MailError, MailPause};
use gatepost_storage::audit;
use serde_json::json;

use crate::app::App;

/// Stop the letters of a template, or all; what is paused from now on.
pub(crate) async fn pause(
    app: &App,
    template: Option<String>,
    reason: Option<String>,
    actor: &str,
) -> Result<Vec<MailPause>, MailError> {
    let (mailer, actor) = (app.mailer.clone(), actor.to_owned());
    app.store
        .run_tx("pause_mail", move |tx| {
            let (mailer, actor) = (mailer.clone(), actor.clone());
            let (template, reason) = (template.clone(), reason.clone());
            Box::pin(async move {
                let (template, reason) = (template.as_deref(), reason.as_deref());
                if mailer.pause_in(tx, template, &actor, reason).await? {
                    let detail = json!({ "template": template, "reason": reason });
                    audit::note(tx, &actor, "mail.paused", None, detail).await?;
                }
                Ok::<_, MailError>(())
            })
        })
        .await?;
    app.mailer.pauses().await
}

/// Let the letters of a template go on, or all; how many pauses that ended, and what is still paused.
pub(crate) async fn resume(
    app: &App,
    template: Option<String>,
    actor: &str,
) -> Result<(u64, Vec<MailPause>), MailError> {
    let (mailer, actor) = (app.mailer.clone(), actor.to_owned());
    let ended = app
        .store
        .run_tx("resume_mail", move |tx| {
            let (mailer, actor, template) = (mailer.clone(), actor.clone(), template.clone());
            Box::pin(async move {
                let ended = mailer.resume_in(tx, template.as_deref()).await?;
                if ended > 0 {
                    let detail = json!({ "template": template });
                    audit::note(tx, &actor, "mail.resumed", None, detail).await?;
                }
                Ok::<_, MailError>(ended)
            })
        })
        .await?;
    Ok((ended, app.mailer.pauses().await?))
}
