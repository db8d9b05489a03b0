//! Listening, and stopping without cutting anybody off.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::extract::{ConnectInfo, Request};
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use crate::app::{App, BuildError};
use crate::events;
use crate::http::drain::Draining;
use crate::http::header_timer::HeaderTimer;
use crate::roles::Roles;
use crate::router::{self, Side};
use crate::workers;

/// A client that takes longer than this to send its headers is dropped.
const HEADERS_WITHIN: Duration = Duration::from_secs(15);
/// Connections to the database that are not given back by then are left to the system.
const CLOSE_WITHIN: Duration = Duration::from_secs(5);
/// After a failed accept (out of file descriptors, say): trying again at once would only spin.
const ACCEPT_AGAIN: Duration = Duration::from_millis(100);

/// Where the program listens.
#[derive(Debug)]
pub struct Listeners {
    /// `http.bind`.
    pub public: TcpListener,
    /// `http.admin_bind`, if it is another: the console, the documents and what takes an API key then answer
    /// there and no longer in public.
    pub admin: Option<TcpListener>,
}

/// The program could not serve.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// The mail transport cannot be used as it is configured.
    #[error("mail.transport: {0}")]
    Transport(#[from] gatepost_mail::transport::TransportError),
    /// The key of `tokens.algorithm` could not be made.
    #[error(transparent)]
    Keys(#[from] Box<BuildError>),
    /// `tls.ca_file` cannot be read.
    #[error("tls.ca_file: {0}")]
    Certificates(#[source] io::Error),
    /// The description of the API could not be written.
    #[error("openapi.json: {0}")]
    Document(#[from] serde_json::Error),
    /// Listening failed.
    #[error("listening: {0}")]
    Listen(#[from] io::Error),
}

impl App {
    /// Serve in these roles until `stop`; then drain: no longer ready, still answering for `shutdown.drain`,
    /// then finish what is under way within `shutdown.timeout`, requests first, letters with them.
    pub async fn serve(
        &self,
        listeners: Listeners,
        roles: Roles,
        stop: CancellationToken,
    ) -> Result<(), ServeError> {
        if self.lifecycle.is_migrated() {
            // Before the first token is made. Where the database has to be migrated first, the workers do it.
            self.become_ready_to_serve().await.map_err(Box::new)?;
        }
        let transport = workers::transport(self)?;
        let relays = events::relays(self).map_err(ServeError::Certificates)?;
        let both = listeners.admin.is_none();
        let public = router::router(self, roles, if both { Side::Both } else { Side::Public })?;
        let close = CancellationToken::new();
        let mut running = workers::start(self, roles, transport, relays, &close);
        let patience = self.config.shutdown.timeout;
        let mut open = tokio::task::JoinSet::new();
        open.spawn(listen(listeners.public, public, close.clone(), patience));
        if let Some(admin) = listeners.admin {
            open.spawn(listen(
                admin,
                router::router(self, roles, Side::Admin)?,
                close.clone(),
                patience,
            ));
        }

        stop.cancelled().await;
        self.lifecycle.begin_stopping();
        tokio::time::sleep(self.config.shutdown.drain).await;
        close.cancel();
        let finished = async {
            let mut outcome = Ok(());
            while let Some(ended) = open.join_next().await {
                outcome = outcome.and(ended.unwrap_or(Ok(())));
            }
            while running.join_next().await.is_some() {}
            outcome
        };
        let outcome = tokio::time::timeout(patience, finished).await;
        // What did not finish in time would hold connections that closing waits for.
        open.abort_all();
        running.abort_all();
        while running.join_next().await.is_some() {}
        if tokio::time::timeout(CLOSE_WITHIN, self.store.close())
            .await
            .is_err()
        {
            tracing::warn!("the database's connections did not close in time");
        }
        if let Ok(outcome) = outcome {
            return Ok(outcome?);
        }
        tracing::warn!("the time to shut down is over; what is unfinished goes on at the next start");
        Ok(())
    }
}

/// Answer on `listener` until `stop`; then finish the requests under way, for at most `patience`.
pub(crate) async fn listen(
    listener: TcpListener,
    router: Router,
    stop: CancellationToken,
    patience: Duration,
) -> io::Result<()> {
    let open = GracefulShutdown::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = stop.cancelled() => break,
        };
        match accepted {
            Ok((stream, peer)) => converse(&open, stream, peer, router.clone()),
            Err(error) if is_of_one_connection(&error) => {}
            Err(error) => {
                tracing::error!(%error, "no connection can be accepted");
                tokio::time::sleep(ACCEPT_AGAIN).await;
            }
        }
    }
    drop(listener);
    if tokio::time::timeout(patience, open.shutdown()).await.is_err() {
        tracing::warn!("some requests were still under way when the time to shut down was over");
    }
    Ok(())
}

fn converse(open: &GracefulShutdown, stream: TcpStream, peer: SocketAddr, router: Router) {
    // Answers are small and whole: waiting to fill a packet only adds to the wait.
    let _ = stream.set_nodelay(true);
    let service = router.map_request(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(ConnectInfo(peer));
        request.map(|body| axum::body::Body::new(Draining::new(body)))
    });
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(HeaderTimer::default())
        .header_read_timeout(HEADERS_WITHIN);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(Some(Duration::from_secs(30)));
    let service = hyper_util::service::TowerToHyperService::new(service);
    let connection = builder
        .serve_connection_with_upgrades(TokioIo::new(stream), service)
        .into_owned();
    let connection = open.watch(connection);
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::trace!(error, "a connection ended early");
        }
    });
}

fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(
        error.kind(),
        ConnectionRefused | ConnectionAborted | ConnectionReset
    )
}
