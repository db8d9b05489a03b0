//! Tables stay small by themselves: what has expired is deleted here, a little at a time.

use std::time::Duration;

use gatepost_messaging::{Queues, Retention};
use gatepost_storage::{Tx, TxFuture, admin_sessions, audit, registrations, verify_answers};
use tokio_util::sync::CancellationToken;

use crate::app::App;
use crate::http::Problem;
use crate::keys;

/// How often. What has expired is refused by its own date; this is only about room.
const EVERY: Duration = Duration::from_secs(60);
/// Rows that one transaction deletes at most, so that nobody waits long for it.
const BATCH: i64 = 1_000;

/// Sweep until `stop`.
pub(crate) async fn run_until(app: &App, stop: CancellationToken) {
    loop {
        if let Err(problem) = sweep(app).await {
            problem.log();
        }
        // Apart from it: a table that can't be swept must not keep an old key signing.
        if let Err(error) = keys::tend(app).await {
            tracing::warn!(%error, "the signing keys could not be looked after");
        }
        let next = app.now() + EVERY;
        tokio::select! {
            () = app.store.sleep_until(next) => {}
            () = stop.cancelled() => return,
        }
    }
}

/// Delete whatever has expired by now.
pub(crate) async fn sweep(app: &App) -> Result<(), Problem> {
    let now = app.now();
    app.tokens.sweep(BATCH).await?;
    app.mailer.sweep(now - app.config.retention.mail).await?;
    Queues::new(&app.store).sweep(Retention::default()).await?;
    app.events.sweep(now - app.config.retention.events).await?;
    drain(app, "sweep_registrations", |tx| {
        Box::pin(registrations::sweep(tx, BATCH))
    })
    .await?;
    let before = now - app.config.retention.audit;
    drain(app, "sweep_audit", move |tx| {
        Box::pin(audit::sweep(tx, before, BATCH))
    })
    .await?;
    app.store
        .run_tx("sweep_answers_and_console", |tx| {
            let now = tx.now();
            Box::pin(async move {
                admin_sessions::sweep(tx, now).await?;
                verify_answers::sweep(tx, now).await
            })
        })
        .await?;
    Ok(())
}

async fn drain<F>(app: &App, name: &'static str, batch: F) -> Result<(), gatepost_storage::Error>
where
    F: for<'a> FnMut(&'a mut Tx<'_>) -> TxFuture<'a, u64, gatepost_storage::Error> + Clone + Send + 'static,
{
    while app.store.run_tx(name, batch.clone()).await? >= BATCH.unsigned_abs() {}
    Ok(())
}
