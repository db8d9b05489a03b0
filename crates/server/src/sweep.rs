//! Tables stay small by themselves: what has expired is deleted here, a little at a time, by one instance at a time.

pub(crate) mod lease;

use std::time::Duration;

use gatepost_messaging::{Queues, Retention};
use gatepost_storage::{
    Timestamp, admin_sessions, audit, email_changes, known_devices, new_id, registrations, verify_answers,
};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::app::App;
use crate::auth::arrival::FORGOTTEN;
use crate::http::Problem;
use crate::keys;

/// How often. What has expired is refused by its own date; this is only about room.
const EVERY: Duration = Duration::from_secs(60);
/// Nobody sweeps if somebody has come to an end within this: less than a round, as no two clocks tick alike.
const DONE_LATELY: Duration = Duration::from_secs(50);

/// Sweep until `stop`.
pub(crate) async fn run_until(app: &App, stop: CancellationToken) {
    let holder = new_id(app.now());
    loop {
        let done_since = app.now() - DONE_LATELY;
        if let Err(problem) = sweep_unless(app, holder, done_since, &stop).await {
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

/// Delete whatever has expired by now, unless another instance is at it or has done so after `done_since`; whether it
/// was done here. Ends early, with nothing half deleted, when `stop` says so or the lease was lost.
pub(crate) async fn sweep_unless(
    app: &App,
    holder: Uuid,
    done_since: Timestamp,
    stop: &CancellationToken,
) -> Result<bool, Problem> {
    if !lease::take(&app.store, holder, done_since).await? {
        return Ok(false);
    }
    let outcome = tokio::select! {
        outcome = sweep(app) => outcome.map(|()| true),
        () = lease::lost(&app.store, holder) => {
            tracing::warn!("another instance has taken sweeping over");
            return Ok(false);
        }
        () = stop.cancelled() => Ok(false),
    };
    let finished = matches!(outcome, Ok(true));
    lease::give_back(&app.store, holder, finished).await?;
    outcome
}

async fn sweep(app: &App) -> Result<(), Problem> {
    let now = app.now();
    app.tokens.sweep().await?;
    app.mailer.sweep(now - app.config.retention.mail).await?;
    Queues::new(&app.store).sweep(Retention::default()).await?;
    app.events.sweep(now - app.config.retention.events).await?;
    app.store
        .sweep("sweep_registrations", |tx, limit| {
            Box::pin(registrations::sweep(tx, limit))
        })
        .await?;
    app.store
        .sweep("sweep_email_changes", |tx, limit| {
            Box::pin(email_changes::sweep(tx, limit))
        })
        .await?;
    let before = now - FORGOTTEN;
    app.store
        .sweep("sweep_known_devices", move |tx, limit| {
            Box::pin(known_devices::sweep(tx, before, limit))
        })
        .await?;
    let before = now - app.config.retention.audit;
    app.store
        .sweep("sweep_audit", move |tx, limit| {
            Box::pin(audit::sweep(tx, before, limit))
        })
        .await?;
    app.store
        .sweep("sweep_answers", |tx, limit| {
            Box::pin(verify_answers::sweep(tx, limit))
        })
        .await?;
    app.store
        .run_tx("sweep_console", |tx| {
            let now = tx.now();
            Box::pin(admin_sessions::sweep(tx, now))
        })
        .await?;
    Ok(())
}
