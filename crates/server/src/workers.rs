//! What goes on besides answering requests.

use std::sync::Arc;
use std::time::Duration;

use gatepost_mail::{Transport, TransportSetup, Worker};
use secrecy::ExposeSecret;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::accounts::letters::Letters;
use crate::accounts::work;
use crate::app::App;
use crate::roles::Roles;
use crate::sweep;

/// How often a program that waits for `gatepost migrate` looks again.
const LOOK_AGAIN: Duration = Duration::from_secs(2);

/// Start what the roles ask for. Ends by itself after `stop`, when what was begun is finished.
pub(crate) fn start(app: &App, roles: Roles, transport: Transport, stop: &CancellationToken) -> JoinSet<()> {
    let mut running = JoinSet::new();
    let (news, end) = (app.clone(), stop.clone());
    running.spawn(async move {
        if until_ready(&news, &end).await {
            news.tokens.revocations().run_until(end.cancelled()).await;
        }
    });
    if roles.worker {
        let worker = mail_worker(app, transport);
        app.lifecycle.watch(worker.health());
        let (jobs, end) = (app.clone(), stop.clone());
        running.spawn(async move {
            if until_ready(&jobs, &end).await {
                report("the account worker", work::consumer(&jobs).run_until(end).await);
            }
        });
        let (mail, end) = (app.clone(), stop.clone());
        running.spawn(async move {
            if until_ready(&mail, &end).await {
                report("the mail worker", worker.run_until(end).await);
            }
        });
        let (sweeper, end) = (app.clone(), stop.clone());
        running.spawn(async move {
            if until_ready(&sweeper, &end).await {
                sweep::run_until(&sweeper, end).await;
            }
        });
    }
    running
}

/// Where letters leave the house.
pub(crate) fn transport(app: &App) -> Result<Transport, gatepost_mail::transport::TransportError> {
    let setup = TransportSetup {
        store: &app.store,
        sealer: &app.sealer,
        ca_file: app.config.tls_ca_file.as_deref(),
    };
    Transport::parse(app.config.mail.transport.spec().expose_secret(), &setup)
}

/// Sends letters, those of accounts too, and what a Python service put on its queue.
pub(crate) fn mail_worker(app: &App, transport: Transport) -> Worker {
    app.mailer
        .worker(app.broker.clone(), transport)
        .account_letters(Arc::new(Letters::new(app)))
        .wire_queue(app.config.mail.queue.clone())
}

/// Wait until the database is up to date; `false` if we are to stop before.
async fn until_ready(app: &App, stop: &CancellationToken) -> bool {
    loop {
        match app.become_ready().await {
            Ok(true) => return true,
            Ok(false) => {}
            Err(error) => tracing::error!(%error, "the database is not ready for this program"),
        }
        tokio::select! {
            () = tokio::time::sleep(LOOK_AGAIN) => {}
            () = stop.cancelled() => return false,
        }
    }
}

fn report<E: std::fmt::Display>(who: &str, ended: Result<(), E>) {
    if let Err(error) = ended {
        tracing::error!(%error, "{who} ended");
    }
}
