//! One mail server: its connections, its pace, and whether letters pass to it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;

use super::SmtpOptions;
use super::breaker::Breaker;
use super::pace::Pace;
use super::session::{Letter, Session};
use super::spec::{SmtpSpec, TlsMode};
use super::tls::Connector;
use crate::transport::{Accepted, Phase, SendError, TransportError};

/// A connection is closed after this many letters, this long without one, or this long in all:
/// servers limit all three, and say so only when it is too late.
const MAX_LETTERS: u32 = 100;
const MAX_IDLE: Duration = Duration::from_mins(1);
const MAX_AGE: Duration = Duration::from_mins(10);
/// How often resting connections are looked through.
const TIDY: Duration = Duration::from_secs(20);

#[derive(Debug)]
pub(super) struct Server {
    pub(super) spec: SmtpSpec,
    pub(super) breaker: Breaker,
    tls: Option<Connector>,
    token_file: Option<std::path::PathBuf>,
    places: Semaphore,
    pace: Pace,
    resting: Mutex<Resting>,
}

#[derive(Debug, Default)]
struct Resting {
    kept: Vec<Kept>,
    // Whether somebody looks through them already.
    tidied: bool,
}

#[derive(Debug)]
struct Kept {
    session: Session,
    opened: Instant,
    rested: Instant,
    letters: u32,
}

impl Kept {
    fn is_fresh(&self) -> bool {
        self.letters < MAX_LETTERS && self.rested.elapsed() < MAX_IDLE && self.opened.elapsed() < MAX_AGE
    }
}

impl Server {
    pub(super) fn new(spec: SmtpSpec, options: &SmtpOptions) -> Result<Self, TransportError> {
        let tls = match spec.tls {
            TlsMode::None => None,
            _ => Some(Connector::new(&spec.host, options.ca_file.as_deref())?),
        };
        Ok(Self {
            tls,
            token_file: options.token_file.clone(),
            places: Semaphore::new(options.connections.clamp(1, super::MAX_CONNECTIONS)),
            pace: Pace::new(options.rate),
            breaker: Breaker::default(),
            resting: Mutex::default(),
            spec,
        })
    }

    /// Without user or password: `mx.example.com:587`.
    pub(super) fn name(&self) -> String {
        format!("{}:{}", self.spec.host, self.spec.port)
    }

    /// Offers a letter, on a resting connection if there is one; waits for a place if all are taken.
    ///
    /// `None` if the server was found at fault meanwhile and this letter is not the one to try it.
    pub(super) async fn deliver<F>(
        self: &Arc<Self>,
        letter: &Letter<'_>,
        before_dot: &mut Option<F>,
        probe: bool,
    ) -> Option<Result<Accepted, SendError>>
    where
        F: AsyncFnOnce() -> bool,
    {
        // Only closing the semaphore fails, and nobody does.
        let _place = self.places.acquire().await.ok()?;
        if !probe && self.breaker.is_open() {
            return None;
        }
        self.pace.wait().await;
        loop {
            let kept = self.take();
            let fresh = kept.is_none();
            let mut kept = match kept {
                Some(kept) => kept,
                None => match self.open().await {
                    Ok(kept) => kept,
                    Err(error) => return Some(Err(error)),
                },
            };
            let limits = &self.spec.timeouts;
            let outcome = kept.session.deliver(limits, letter, before_dot).await;
            let at_mail = matches!(
                outcome,
                Err(SendError::Server {
                    phase: Phase::MailFrom,
                    ..
                })
            );
            if kept.session.is_clean() {
                kept.letters += 1;
                self.put_back(kept).await;
            } else if at_mail && !fresh && before_dot.is_some() {
                // The server had closed a resting connection. Nothing was said about this letter yet.
                continue;
            }
            return Some(outcome);
        }
    }

    /// Says QUIT on every resting connection.
    pub(super) async fn close(&self) {
        let resting = std::mem::take(&mut self.resting().kept);
        for kept in resting {
            kept.session.quit().await;
        }
    }

    async fn open(&self) -> Result<Kept, SendError> {
        let session = Session::open(&self.spec, self.tls.as_ref(), self.token_file.as_deref()).await?;
        let now = Instant::now();
        Ok(Kept {
            session,
            opened: now,
            rested: now,
            letters: 0,
        })
    }

    fn take(&self) -> Option<Kept> {
        let mut resting = self.resting();
        // The one that rested last is the least likely to have been closed.
        while let Some(kept) = resting.kept.pop() {
            if kept.is_fresh() {
                return Some(kept);
            }
        }
        None
    }

    async fn put_back(self: &Arc<Self>, mut kept: Kept) {
        kept.rested = Instant::now();
        if !kept.is_fresh() {
            kept.session.quit().await;
            return;
        }
        let mut resting = self.resting();
        resting.kept.push(kept);
        if !std::mem::replace(&mut resting.tidied, true) {
            tokio::spawn(tidy(Arc::downgrade(self)));
        }
    }

    fn resting(&self) -> MutexGuard<'_, Resting> {
        // The list is never left half-changed, so a panic elsewhere does no harm to it.
        self.resting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Says goodbye on connections that have rested too long, for as long as there are any.
async fn tidy(server: Weak<Server>) {
    loop {
        tokio::time::sleep(TIDY).await;
        let Some(server) = server.upgrade() else { return };
        let tired: Vec<Kept> = {
            let mut resting = server.resting();
            let (fresh, tired) = std::mem::take(&mut resting.kept)
                .into_iter()
                .partition(Kept::is_fresh);
            resting.kept = fresh;
            resting.tidied = !resting.kept.is_empty();
            tired
        };
        for kept in tired {
            kept.session.quit().await;
        }
        if !server.resting().tidied {
            return;
        }
    }
}
