//! What goes on besides answering requests.

use std::sync::Arc;
use std::time::Duration;

use gatepost_mail::transport::{SmtpOptions, TransportError};
use gatepost_mail::{Transport, TransportSetup, Worker};
use secrecy::ExposeSecret;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::accounts::letters::Letters;
use crate::accounts::work;
use crate::app::App;
use crate::broker;
use crate::config::{Config, Wire};
use crate::events::Line;
use crate::roles::Roles;
use crate::sweep;

/// How often a program that waits for `gatepost migrate` looks again.
const LOOK_AGAIN: Duration = Duration::from_secs(2);

/// Start what the roles ask for. Ends by itself after `stop`, when what was begun is finished.
pub(crate) fn start(
    app: &App,
    roles: Roles,
    transport: Transport,
    relays: Vec<Line>,
    stop: &CancellationToken,
) -> JoinSet<()> {
    let mut running = JoinSet::new();
    let (news, end) = (app.clone(), stop.clone());
    running.spawn(async move {
        if until_ready(&news, &end).await {
            news.tokens.revocations().run_until(end.cancelled()).await;
        }
    });
    if let Some(cache) = app.cache.clone() {
        let end = stop.clone();
        running.spawn(async move { cache.keep(end).await });
        let (app, end) = (app.clone(), stop.clone());
        running.spawn(async move {
            if let Some(cache) = &app.cache
                && until_ready(&app, &end).await
            {
                cache.tell(&app.store, &app.tokens, end).await;
            }
        });
    }
    let carries = app.broker().is_rabbitmq();
    if roles.dispatcher && carries {
        let (app, end) = (app.clone(), stop.clone());
        running.spawn(async move {
            keep("the dispatcher", &app, &end, || {
                let dispatcher = broker::dispatcher(&app);
                app.lifecycle.watch_dispatcher(dispatcher.health());
                dispatcher.run_until(end.clone())
            })
            .await;
        });
    }
    let python = app.config.mail.wire == Wire::Python;
    if roles.dispatcher && python {
        let (app, end) = (app.clone(), stop.clone());
        running.spawn(async move {
            keep("the wire to Python", &app, &end, || {
                Box::pin(wire_worker(&app).run_until(end.clone()))
            })
            .await;
        });
    }
    if roles.worker {
        let (jobs, end) = (app.clone(), stop.clone());
        running.spawn(async move {
            keep("the account worker", &jobs, &end, || {
                work::consumer(&jobs).run_until(end.clone())
            })
            .await;
        });
        if !python {
            send(app, transport, &mut running, stop);
        }
        tell(app, relays, &mut running, stop);
        let (sweeper, end) = (app.clone(), stop.clone());
        running.spawn(async move {
            if until_ready(&sweeper, &end).await {
                sweep::run_until(&sweeper, end).await;
            }
        });
    }
    running
}

/// Letters are sent by us.
fn send(app: &App, transport: Transport, running: &mut JoinSet<()>, stop: &CancellationToken) {
    let (mail, end) = (app.clone(), stop.clone());
    let mut first = Some(transport);
    running.spawn(async move {
        keep("the mail worker", &mail, &end, || {
            let transport = first.take().map_or_else(|| self::transport(&mail), Ok);
            let (app, end) = (mail.clone(), end.clone());
            async move {
                let worker = mail_worker(&app, transport?);
                app.lifecycle.watch(worker.health());
                // A future of 17 KB: on the heap, not in each that holds it.
                Ok::<_, MailEnded>(Box::pin(worker.run_until(end)).await?)
            }
        })
        .await;
    });
}

/// Webhooks and the exchange are told of events, each on its own.
fn tell(app: &App, relays: Vec<Line>, running: &mut JoinSet<()>, stop: &CancellationToken) {
    for line in relays {
        let (app, end) = (app.clone(), stop.clone());
        running.spawn(async move {
            if until_ready(&app, &end).await {
                line.run_until(end).await;
            }
        });
    }
}

/// Where letters leave the house.
pub(crate) fn transport(app: &App) -> Result<Transport, TransportError> {
    let setup = TransportSetup {
        store: &app.store,
        sealer: &app.sealer,
        smtp: &smtp_options(&app.config),
    };
    Transport::parse(app.config.mail.transport.spec().expose_secret(), &setup)
}

fn smtp_options(config: &Config) -> SmtpOptions {
    let limits = &config.mail.smtp;
    let number = |n: u32| usize::try_from(n).unwrap_or(usize::MAX);
    SmtpOptions {
        connections: number(limits.connections),
        rate: limits.rate,
        domain_connections: number(limits.domain_connections),
        domain_rate: limits.domain_rate,
        token_file: limits.token_file.clone(),
        ca_file: config.tls_ca_file.clone(),
    }
}

/// Sends letters, those of accounts too, and what a Python service put on its queue.
pub(crate) fn mail_worker(app: &App, transport: Transport) -> Worker {
    app.mailer
        .worker(app.broker().clone(), transport)
        .account_letters(Arc::new(Letters::new(app)))
        .sign_with(app.dkim.clone())
        .wire_queue(app.config.mail.queue.clone())
}

/// Renders letters onto `mail.queue` for a Python consumer, out of the database: with `mail.wire = "python"` no
/// letter of ours lies on RabbitMQ.
fn wire_worker(app: &App) -> Worker {
    app.mailer
        .worker(
            app.inside.clone(),
            Transport::wire(app.broker(), &app.config.mail.queue),
        )
        .account_letters(Arc::new(Letters::new(app)))
}

/// Wait until the database is up to date; `false` if we are to stop before.
async fn until_ready(app: &App, stop: &CancellationToken) -> bool {
    loop {
        match app.become_ready_to_serve().await {
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

/// Run a worker until `stop`. What keeps it from starting is logged, and it is started again a little later: a
/// database that was away for a moment must not leave a process that takes letters and sends none.
async fn keep<F, E>(who: &str, app: &App, stop: &CancellationToken, mut run: impl FnMut() -> F)
where
    F: Future<Output = Result<(), E>>,
    E: std::fmt::Display,
{
    while until_ready(app, stop).await {
        match run().await {
            Ok(()) if stop.is_cancelled() => return,
            Ok(()) => tracing::error!("{who} ended by itself and is started again"),
            Err(error) => tracing::error!(%error, "{who} ended and is started again"),
        }
        tokio::select! {
            () = tokio::time::sleep(LOOK_AGAIN) => {}
            () = stop.cancelled() => return,
        }
    }
}

/// Why the mail worker ended.
#[derive(Debug, thiserror::Error)]
enum MailEnded {
    #[error(transparent)]
    Transport(#[from] TransportError),
    #[error(transparent)]
    Queue(#[from] gatepost_messaging::Error),
}
