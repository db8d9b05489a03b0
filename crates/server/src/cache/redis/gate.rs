//! The one connection that requests share, and when it is not used.
//!
//! A request never connects and never waits longer than [`DEADLINE`]. The first answer that is late or wrong takes
//! the connection away from everybody; whoever comes then counts in this process, at once, until a task of its own
//! has a connection again that takes a write within the deadline.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use redis::aio::MultiplexedConnection;
use redis::{FromRedisValue, cmd};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::server::{Connection, Failure, Server};

/// How long a request waits for an answer: a Redis beside us takes less than one millisecond.
pub(super) const DEADLINE: Duration = Duration::from_millis(100);
/// How often an idle connection is tried, so that `/readyz` knows.
const TRIED_EVERY: Duration = Duration::from_secs(5);
/// Pauses between attempts to come back grow from the first to the second.
const PAUSES: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(5));
/// A connection that held for so long was a good one: the next attempt follows at once.
const STEADY: Duration = Duration::from_secs(10);
/// Written to see whether it takes writes: one that is full, or a replica, does not.
const PROBE: &str = "gatepost:probe";

/// See the module.
#[derive(Debug)]
pub(super) struct Gate {
    server: Arc<Server>,
    script: &'static str,
    link: RwLock<Option<Arc<Link>>>,
    taken: Notify,
    connections: AtomicU64,
}

/// A connection that takes writes, with our script known to it.
#[derive(Debug)]
pub(super) struct Link {
    number: u64,
    connection: Connection,
    /// What the script is called by.
    pub(super) sha: String,
}

impl Link {
    pub(super) fn commands(&self) -> MultiplexedConnection {
        self.connection.commands()
    }
}

impl Gate {
    pub(super) fn new(server: Arc<Server>, script: &'static str) -> Self {
        Self {
            server,
            script,
            link: RwLock::default(),
            taken: Notify::new(),
            connections: AtomicU64::new(0),
        }
    }

    pub(super) fn is_open(&self) -> bool {
        self.link().is_some()
    }

    /// The connection, if there is one that can be relied on.
    pub(super) fn link(&self) -> Option<Arc<Link>> {
        self.link.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// One question. No answer: whoever asks goes on without.
    pub(super) async fn ask<T: FromRedisValue>(
        &self,
        link: &Link,
        question: impl Future<Output = Result<T, redis::RedisError>>,
    ) -> Option<T> {
        match within_deadline(question).await {
            Ok(answer) => Some(answer),
            Err(why) => {
                self.take_away(link.number, &why);
                None
            }
        }
    }

    fn take_away(&self, number: u64, why: &Failure) {
        let mut link = self.link.write().unwrap_or_else(PoisonError::into_inner);
        // Others may have found out first, and there may be a new one already.
        if link.as_ref().is_some_and(|link| link.number == number) {
            *link = None;
            tracing::debug!(%why, "the cache is not asked until it has been tried again");
            self.taken.notify_one();
        }
    }

    /// Connects, and comes back after each failure, until `stop`.
    pub(super) async fn keep(&self, stop: &CancellationToken) {
        let mut pause = Duration::ZERO;
        let mut told = false;
        while !stop.is_cancelled() {
            match self.connect().await {
                Ok(link) => {
                    if told {
                        told = false;
                        tracing::info!("the cache is back: limits are counted over all instances again");
                    }
                    let began = Instant::now();
                    self.hold(link, stop).await;
                    if began.elapsed() >= STEADY {
                        pause = Duration::ZERO;
                    }
                }
                Err(why) if !told => {
                    told = true;
                    tracing::warn!(%why, "the cache is away: each instance counts limits by itself until it is back");
                }
                Err(_) => {}
            }
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = stop.cancelled() => return,
            }
            pause = (pause * 2).clamp(PAUSES.0, PAUSES.1);
        }
    }

    async fn connect(&self) -> Result<Arc<Link>, Failure> {
        let connection = self.server.connect().await?;
        let mut commands = connection.commands();
        let mut load = cmd("SCRIPT");
        load.arg("LOAD").arg(self.script);
        let sha: String = within_deadline(load.query_async(&mut commands)).await?;
        probe(&mut commands).await?;
        let number = self.connections.fetch_add(1, Ordering::Relaxed);
        Ok(Arc::new(Link {
            number,
            connection,
            sha,
        }))
    }

    /// Lends the connection out until it is taken away.
    async fn hold(&self, link: Arc<Link>, stop: &CancellationToken) {
        let number = link.number;
        let mut commands = link.commands();
        *self.link.write().unwrap_or_else(PoisonError::into_inner) = Some(link);
        loop {
            tokio::select! {
                () = self.taken.notified() => {}
                () = stop.cancelled() => return,
                () = tokio::time::sleep(TRIED_EVERY) => {
                    if let Err(why) = probe(&mut commands).await {
                        self.take_away(number, &why);
                    }
                }
            }
            if !self.is_open() {
                return;
            }
        }
    }
}

async fn probe(commands: &mut MultiplexedConnection) -> Result<(), Failure> {
    let mut write = cmd("SET");
    write.arg(PROBE).arg(1).arg("PX").arg(1_000);
    within_deadline(write.query_async(commands)).await
}

async fn within_deadline<T>(
    question: impl Future<Output = Result<T, redis::RedisError>>,
) -> Result<T, Failure> {
    match tokio::time::timeout(DEADLINE, question).await {
        Ok(answer) => Ok(answer?),
        Err(_) => Err(Failure::Late(DEADLINE)),
    }
}
