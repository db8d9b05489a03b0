//! Publishing by hand, or by a program that has no transaction of ours: a row in the outbox and one in the audit.

use gatepost_messaging::{Envelope, Error, Published};
use gatepost_storage::audit;
use serde_json::json;

use crate::app::App;

/// What nobody publishes by hand.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// What is on these is made by this program, and sealed.
    #[error(
        "queues that begin with gatepost. are ours: publish what is meant for them by its own door (`mail send`, POST /api/mail)"
    )]
    Ours,
    /// The name or the message is not possible, or the database's.
    #[error(transparent)]
    Messaging(#[from] Error),
}

/// Publishes a message for `actor`.
///
/// # Errors
/// [`Refused`].
pub async fn publish(app: &App, actor: &str, envelope: Envelope) -> Result<Published, Refused> {
    if envelope.queue.starts_with("gatepost.") {
        return Err(Refused::Ours);
    }
    let parts = (app.outbox.clone(), envelope, actor.to_owned());
    let published = app.store.run_tx("publish_by_hand", move |tx| {
        let (outbox, envelope, actor) = parts.clone();
        Box::pin(async move {
            let published = outbox.publish_envelope(&mut *tx, &envelope).await?;
            let detail = json!({
                "queue": envelope.queue,
                "id": published.id(),
                "type": envelope.kind,
                "new": published.is_new(),
            });
            audit::note(tx, &actor, "message.published", None, detail).await?;
            Ok::<_, Error>(published)
        })
    });
    Ok(published.await?)
}
