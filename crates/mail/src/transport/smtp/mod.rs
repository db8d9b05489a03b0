//! Sending over SMTP: connections that are kept, one dialogue at a time on each.
//!
//! A connection is given to a dialogue whole and comes back only after a clean end. A dialogue
//! that is dropped or times out takes its connection with it: handed on half-way, it would give
//! the next letter the answers meant for this one.

mod line;
mod reply;
mod session;
mod spec;
mod tls;

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use session::Session;
pub use spec::{SmtpSpec, Timeouts, TlsMode};

use super::{Accepted, Phase, SendError, TransportError};
use crate::EmailAddress;
use crate::post::{Post, PostError};

/// A connection is closed after this many letters, this long without one, or this long in all:
/// servers limit all three, and say so only when it is too late.
const MAX_LETTERS: u32 = 100;
const MAX_IDLE: Duration = Duration::from_mins(1);
const MAX_AGE: Duration = Duration::from_mins(10);

/// A mail server to send through.
///
/// Cheap to clone; clones share their connections. As many connections are open as letters are
/// being sent at once.
#[derive(Debug, Clone)]
pub struct Smtp {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    spec: SmtpSpec,
    tls: Option<tls::Connector>,
    idle: Mutex<Vec<Kept>>,
}

#[derive(Debug)]
struct Kept {
    session: Session,
    opened: Instant,
    rested: Instant,
    letters: u32,
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
    /// Reads `smtp://user:pass@host:587?tls=required` and the system's certificates. Opens no
    /// connection yet.
    pub fn connect(url: &str) -> Result<Self, TransportError> {
        Self::from_spec(url.parse()?, None)
    }

    /// The same with more certificates to trust, from a PEM file (`tls.ca_file`).
    pub fn connect_with_ca(url: &str, ca_file: &Path) -> Result<Self, TransportError> {
        Self::from_spec(url.parse()?, Some(ca_file))
    }

    /// From what was parsed before; timeouts can be set on the spec.
    pub fn from_spec(spec: SmtpSpec, ca_file: Option<&Path>) -> Result<Self, TransportError> {
        let tls = match spec.tls {
            TlsMode::None => None,
            _ => Some(tls::Connector::new(&spec.host, ca_file)?),
        };
        Ok(Self {
            inner: Arc::new(Inner {
                spec,
                tls,
                idle: Mutex::default(),
            }),
        })
    }

    /// Where letters go, without user or password: `mx.example.com:587`.
    pub fn server(&self) -> String {
        format!("{}:{}", self.inner.spec.host, self.inner.spec.port)
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
        let mut before_dot = Some(before_dot);
        loop {
            let kept = self.take();
            let fresh = kept.is_none();
            let mut kept = match kept {
                Some(kept) => kept,
                None => self.open().await?,
            };
            let outcome = kept
                .session
                .deliver(&self.inner.spec.timeouts, from, to, message, &mut before_dot)
                .await;
            let went_stale = matches!(
                outcome,
                Err(SendError::Server {
                    phase: Phase::MailFrom,
                    ..
                })
            );
            if kept.session.is_clean() {
                kept.letters += 1;
                self.put_back(kept).await;
            } else if went_stale && !fresh && before_dot.is_some() {
                // The server had closed a resting connection. Nothing was said about this letter yet.
                continue;
            }
            return outcome;
        }
    }

    /// Says QUIT on every resting connection.
    pub async fn close(&self) {
        let resting = std::mem::take(&mut *self.idle());
        for kept in resting {
            kept.session.quit().await;
        }
    }

    async fn open(&self) -> Result<Kept, SendError> {
        let session = Session::open(&self.inner.spec, self.inner.tls.as_ref()).await?;
        let now = Instant::now();
        Ok(Kept {
            session,
            opened: now,
            rested: now,
            letters: 0,
        })
    }

    fn take(&self) -> Option<Kept> {
        let mut idle = self.idle();
        idle.retain(|kept| kept.rested.elapsed() < MAX_IDLE && kept.opened.elapsed() < MAX_AGE);
        idle.pop()
    }

    async fn put_back(&self, mut kept: Kept) {
        if kept.letters >= MAX_LETTERS || kept.opened.elapsed() >= MAX_AGE {
            kept.session.quit().await;
            return;
        }
        kept.rested = Instant::now();
        self.idle().push(kept);
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Kept>> {
        // The list is never left half-changed, so a panic elsewhere does no harm to it.
        self.inner.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
