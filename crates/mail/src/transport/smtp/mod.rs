//! Sending over SMTP: connections that are kept, one dialogue at a time on each.
//!
//! A connection is given to a dialogue whole and comes back only after a clean end. A dialogue
//! that is dropped or times out takes its connection with it: handed on half-way, it would give
//! the next letter the answers meant for this one.
//!
//! Several servers stand in for one another in their order: a letter that one could not be told of goes to
//! the next at once. A server that is at fault again and again is left alone for a while, then one letter
//! tries it.

mod breaker;
mod domains;
mod line;
mod login;
mod pace;
mod reply;
mod server;
mod session;
mod spec;
mod tls;

use std::fmt;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use uuid::Uuid;

use breaker::Enter;
pub(crate) use domains::DomainPass;
use domains::Domains;
use server::Server;
use session::Letter;
pub use spec::{AuthMethod, SmtpSpec, Timeouts, TlsMode, split_urls};

pub use super::options::{MAX_CONNECTIONS, ServerState, SmtpOptions};
use super::{Accepted, Phase, SendError, Status, TransportError};
use crate::EmailAddress;
use crate::post::{Post, PostError};

type Clock = Arc<dyn Fn() -> i64 + Send + Sync>;

/// One mail server to send through, or several that stand in for one another.
///
/// Cheap to clone; clones share their connections.
#[derive(Clone)]
pub struct Smtp {
    inner: Arc<Inner>,
    // Microseconds, from whenever.
    clock: Clock,
}

#[derive(Debug)]
struct Inner {
    // In the order in which they are tried; never empty.
    servers: Vec<Arc<Server>>,
    connections: usize,
    domains: Arc<Domains>,
}

/// Leave to give a letter to the servers. If it was to try one that was at fault and comes to no result
/// (the database failed, the letter had expired), the next letter may try.
#[derive(Debug)]
pub(crate) struct Pass {
    inner: Arc<Inner>,
    server: usize,
    probe: bool,
}

impl Drop for Pass {
    fn drop(&mut self) {
        if self.probe {
            self.inner.servers[self.server].breaker.release_probe();
        }
    }
}

/// Reads one reply as a session does, and moves `from` behind it: for the fuzzer.
#[doc(hidden)]
pub fn read_reply(from: &mut &[u8]) -> std::io::Result<(u16, String)> {
    let reading = std::pin::pin!(reply::Reply::read(from));
    match reading.poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(reply) => reply.map(|reply| (reply.code, reply.words())),
        // What is in memory never has to be waited for.
        Poll::Pending => Err(std::io::ErrorKind::WouldBlock.into()),
    }
}

impl Smtp {
    /// Reads `smtp://user:pass@host:587?tls=required`, or several with a comma between them, and the
    /// system's certificates. Opens no connection yet.
    pub fn connect(urls: &str) -> Result<Self, TransportError> {
        Self::with_options(urls, &SmtpOptions::default())
    }

    /// The same with more certificates to trust, from a PEM file (`tls.ca_file`).
    pub fn connect_with_ca(urls: &str, ca_file: &Path) -> Result<Self, TransportError> {
        let options = SmtpOptions {
            ca_file: Some(ca_file.to_owned()),
            ..SmtpOptions::default()
        };
        Self::with_options(urls, &options)
    }

    /// The same with limits.
    pub fn with_options(urls: &str, options: &SmtpOptions) -> Result<Self, TransportError> {
        Self::from_specs(SmtpSpec::parse_all(urls)?, options)
    }

    /// From one that was parsed before; timeouts can be set on the spec.
    pub fn from_spec(spec: SmtpSpec, ca_file: Option<&Path>) -> Result<Self, TransportError> {
        let options = SmtpOptions {
            ca_file: ca_file.map(Path::to_owned),
            ..SmtpOptions::default()
        };
        Self::from_specs(vec![spec], &options)
    }

    /// From several, in the order in which they are tried.
    pub fn from_specs(specs: Vec<SmtpSpec>, options: &SmtpOptions) -> Result<Self, TransportError> {
        if specs.is_empty() {
            return Err(TransportError::Spec("no mail server is named".to_owned()));
        }
        let servers = specs
            .into_iter()
            .map(|spec| Server::new(spec, options).map(Arc::new));
        Ok(Self {
            inner: Arc::new(Inner {
                servers: servers.collect::<Result<_, _>>()?,
                connections: options.connections.clamp(1, MAX_CONNECTIONS),
                domains: Arc::new(Domains::new(options.domain_connections, options.domain_rate)),
            }),
            clock: Arc::new(since_start),
        })
    }

    /// Measures pauses by another clock, for a worker whose tests stop it. Clones made before keep theirs.
    #[cfg(feature = "queue")]
    #[must_use]
    pub(crate) fn with_clock(mut self, clock: impl Fn() -> i64 + Send + Sync + 'static) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// Where letters go, without user or password: `mx.example.com:587`, several joined by commas.
    pub fn server(&self) -> String {
        let names: Vec<String> = self.inner.servers.iter().map(|server| server.name()).collect();
        names.join(", ")
    }

    /// How each server is doing, in the order in which they are tried.
    pub fn servers(&self) -> Vec<ServerState> {
        let state = |server: &Arc<Server>| {
            let paused = server.breaker.paused();
            ServerState {
                server: server.name(),
                paused_until: paused.as_ref().map(|(until, _)| *until),
                why: paused.map(|(_, why)| why).unwrap_or_default(),
            }
        };
        self.inner.servers.iter().map(state).collect()
    }

    /// Connections to each server at most.
    pub fn connections(&self) -> usize {
        self.inner.connections
    }

    /// Sends a letter to everybody it names, one after another, and says what became of each.
    pub async fn send(
        &self,
        post: &Post<'_>,
    ) -> Result<Vec<(EmailAddress, Result<Accepted, SendError>)>, PostError> {
        let message = post.build()?;
        let mut outcomes = Vec::new();
        for to in post.to.iter().chain(post.cc) {
            let outcome = self
                .deliver(&post.from.address, to, &message, async || true)
                .await;
            outcomes.push((to.clone(), outcome));
        }
        Ok(outcomes)
    }

    /// Sends a finished message to one recipient.
    ///
    /// `before_dot` is asked once everything but the final dot is sent; `false` takes the letter
    /// back. After `true` the outcome may be [`SendError::Unanswered`].
    ///
    /// While all servers are paused the letter is not given to any; the error has the reason. The limits of
    /// its recipient's domain are waited for.
    pub async fn deliver<F>(
        &self,
        from: &EmailAddress,
        to: &EmailAddress,
        message: &[u8],
        before_dot: F,
    ) -> Result<Accepted, SendError>
    where
        F: AsyncFnOnce() -> bool,
    {
        let Ok(pass) = self.enter() else {
            return Err(self.all_paused());
        };
        let _domain = self.wait_for_domain(to.domain()).await;
        self.deliver_by(&pass, from, to, message, before_dot).await
    }

    /// Leave to give a letter to a server, or how long to wait for one.
    pub(crate) fn enter(&self) -> Result<Pass, Duration> {
        let now = (self.clock)();
        let mut wait = Duration::MAX;
        for (nth, server) in self.inner.servers.iter().enumerate() {
            let probe = match server.breaker.enter(now) {
                Enter::Go => false,
                Enter::Probe => true,
                Enter::Wait(this) => {
                    wait = wait.min(this);
                    continue;
                }
            };
            return Ok(Pass {
                inner: Arc::clone(&self.inner),
                server: nth,
                probe,
            });
        }
        Err(wait)
    }

    /// Leave to send to a recipient's domain, or how long to wait; the letter's place is kept.
    pub(crate) fn enter_domain(&self, id: Uuid, domain: &str) -> Result<Option<DomainPass>, Duration> {
        self.inner.domains.enter(id, domain, (self.clock)())
    }

    async fn wait_for_domain(&self, domain: &str) -> Option<DomainPass> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let id = Uuid::from_u64_pair(0, NEXT.fetch_add(1, Ordering::Relaxed));
        loop {
            match self.enter_domain(id, domain) {
                Ok(pass) => return pass,
                Err(wait) => tokio::time::sleep(wait).await,
            }
        }
    }

    pub(crate) async fn deliver_by<F>(
        &self,
        pass: &Pass,
        from: &EmailAddress,
        to: &EmailAddress,
        message: &[u8],
        before_dot: F,
    ) -> Result<Accepted, SendError>
    where
        F: AsyncFnOnce() -> bool,
    {
        let letter = Letter { from, to, message };
        let mut before_dot = Some(before_dot);
        let mut last = None;
        let count = self.inner.servers.len();
        for nth in (pass.server..count).chain(0..pass.server) {
            let server = &self.inner.servers[nth];
            let probe = pass.probe && nth == pass.server;
            if !probe && server.breaker.is_open() {
                continue;
            }
            let Some(outcome) = server.deliver(&letter, &mut before_dot, probe).await else {
                continue;
            };
            let outcome = self.learn(server, outcome);
            match outcome {
                // Nothing was said yet that another server may not hear.
                Err(SendError::Server { .. } | SendError::Refused { code: 0, .. })
                    if before_dot.is_some() =>
                {
                    last = Some(outcome);
                }
                outcome => return outcome,
            }
        }
        last.unwrap_or_else(|| Err(self.all_paused()))
    }

    /// What a dialogue says about the server.
    fn learn(&self, server: &Server, outcome: Result<Accepted, SendError>) -> Result<Accepted, SendError> {
        let breaker = &server.breaker;
        match &outcome {
            Ok(_) => breaker.took(),
            Err(SendError::Refused {
                phase, reply, status, ..
            }) if status.is_some_and(Status::is_policy) => {
                let why = format!("refused for policy again and again: {reply}");
                if breaker.policy_refusal((self.clock)(), &why) {
                    return Err(SendError::Server {
                        phase: *phase,
                        detail: why,
                    });
                }
                breaker.good();
            }
            // A connection that broke says nothing for the server; nor does one that takes letters and does
            // not answer.
            Err(SendError::Deferred { code: 0, .. } | SendError::Unanswered { .. } | SendError::HeldBack) => {
            }
            Err(SendError::Refused { .. } | SendError::Deferred { .. }) => breaker.good(),
            Err(SendError::Server { phase, detail }) => {
                breaker.fault((self.clock)(), &format!("{phase}: {detail}"));
            }
        }
        outcome
    }

    fn all_paused(&self) -> SendError {
        let states = self.servers();
        let why = states
            .iter()
            .map(|state| state.why.as_str())
            .find(|why| !why.is_empty());
        SendError::Server {
            phase: Phase::Connect,
            detail: format!("paused: {}", why.unwrap_or("the mail server is being tried")),
        }
    }

    /// Says QUIT on every resting connection.
    pub async fn close(&self) {
        for server in &self.inner.servers {
            server.close().await;
        }
    }
}

/// Without user or password.
impl fmt::Debug for Smtp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Smtp({})", self.server())
    }
}

/// Microseconds since this was first asked, by a clock that nobody sets.
fn since_start() -> i64 {
    static START: OnceLock<Instant> = OnceLock::new();
    let elapsed = START.get_or_init(Instant::now).elapsed();
    i64::try_from(elapsed.as_micros()).unwrap_or(i64::MAX)
}
