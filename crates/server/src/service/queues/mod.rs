//! `/api/queues*`: queues and dead letters, one verb a file.

pub mod discard;
pub mod list;
pub mod peek;
pub mod publish;
pub mod replay;
pub mod show;

use gatepost_storage::audit;
use serde_json::{Value, json};

use crate::app::App;
use crate::http::Problem;

/// Notes what a key did to dead letters.
async fn note(app: &App, actor: &str, action: &'static str, queue: &str, what: Value) -> Result<(), Problem> {
    let (actor, detail) = (actor.to_owned(), json!({"queue": queue, "what": what}));
    app.store
        .run_tx("note_queue", move |tx| {
            let (actor, detail) = (actor.clone(), detail.clone());
            Box::pin(async move { audit::note(tx, &actor, action, None, detail).await })
        })
        .await?;
    Ok(())
}
