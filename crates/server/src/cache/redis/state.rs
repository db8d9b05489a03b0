//! What programs that check tokens themselves find in Redis.
//!
//! Revocations are written after their commit, from the log that every instance reads, and a good token only once
//! Gatepost was asked about it. `gatepost:fresh` stands beside them for a second after each reading of the log whose
//! news have all been written, so whoever relies on it relies on nothing older. On each new connection everything
//! that still lives is written before it: a Redis that was away, or came back with old data, is right again first.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use gatepost_storage::revocation_log::{self, News, PageCursor};
use gatepost_storage::{Error, Store, Wakeups};
use gatepost_tokens::{Claims, KeyStoreError, TokenService};
use redis::aio::MultiplexedConnection;
use redis::{FromRedisValue, cmd, pipe};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::server::{Failure, Server};
use super::state_keys::{self, FRESH, Lately, Scripts};

/// For how long after a reading of the log what stands in Redis may be relied on; the same bound that our own checks have.
const BOUND: Duration = Duration::from_secs(1);
/// How often the log is read when nobody wakes us.
const EVERY: Duration = Duration::from_millis(250);
/// An answer that is later than this ends the connection.
const PATIENCE: Duration = Duration::from_secs(1);
/// Pauses between attempts to come back grow from the first to the second.
const PAUSES: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(5));
/// Rows that are read and written at once when everything is.
const PAGE: i64 = 500;
/// Tokens that may wait to be vouched for. More are left out: whoever meets them asks again.
const WAITING: usize = 512;
/// For so long after the word has changed nobody is vouched for: who was checked before may be by a retired key.
const UNSURE: Duration = Duration::from_secs(2);

/// A token that was good a moment ago.
#[derive(Debug)]
struct Good {
    claims: Claims,
    checked: Instant,
}

/// Where good tokens come in.
#[derive(Debug)]
pub(super) struct State {
    server: Arc<Server>,
    sender: mpsc::Sender<Good>,
    receiver: Mutex<Option<mpsc::Receiver<Good>>>,
}

impl State {
    pub(super) fn new(server: Arc<Server>) -> Self {
        let (sender, receiver) = mpsc::channel(WAITING);
        Self {
            server,
            sender,
            receiver: Mutex::new(Some(receiver)),
        }
    }

    /// Waits for nothing, and promises nothing.
    pub(super) fn vouch(&self, claims: &Claims) {
        if let Ok(place) = self.sender.try_reserve() {
            place.send(Good {
                claims: claims.clone(),
                checked: Instant::now(),
            });
        }
    }

    /// Keeps Redis told until `stop`.
    pub(super) async fn keep(&self, store: &Store, tokens: &TokenService, stop: &CancellationToken) {
        let receiver = self
            .receiver
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        let Some(mut good) = receiver else { return };
        let (mut pause, mut told) = (PAUSES.0, false);
        while !stop.is_cancelled() {
            let why = match Teller::connect(&self.server, store, tokens).await {
                Ok(mut teller) => {
                    if told {
                        told = false;
                        tracing::info!("other programs find the state of tokens in the cache again");
                    }
                    pause = PAUSES.0;
                    teller.tell(&mut good, stop).await
                }
                Err(why) => why,
            };
            if !told && !stop.is_cancelled() {
                told = true;
                tracing::warn!(%why, "other programs find no state of tokens in the cache: they have to ask");
            }
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = stop.cancelled() => return,
            }
            pause = (pause * 2).min(PAUSES.1);
        }
    }
}

/// Why nothing can be told.
#[derive(Debug, thiserror::Error)]
enum Silence {
    #[error(transparent)]
    Redis(#[from] Failure),
    #[error("the revocation log can't be read: {0}")]
    Log(#[from] Error),
    #[error("the keys can't be read: {0}")]
    Keys(#[from] KeyStoreError),
    #[error("we are to stop")]
    Stop,
}

/// One connection's worth of telling.
struct Teller<'a> {
    store: &'a Store,
    tokens: &'a TokenService,
    commands: MultiplexedConnection,
    _connection: super::server::Connection,
    scripts: Scripts,
    cursor: PageCursor,
    wakeups: Wakeups,
    changes: tokio::sync::watch::Receiver<u64>,
    lately: Lately,
    vouched: HashSet<String>,
    vouched_since: Instant,
    word: String,
    word_since: Instant,
}

impl<'a> Teller<'a> {
    /// Connects, and writes everything that lives.
    async fn connect(server: &Server, store: &'a Store, tokens: &'a TokenService) -> Result<Self, Silence> {
        let connection = server.connect().await?;
        let mut commands = connection.commands();
        let mut changes = tokens.revocations().subscribe();
        changes.mark_unchanged();
        let wakeups = store.subscribe(revocation_log::TOPIC);
        let scripts = Scripts {
            raise: load(&mut commands, include_str!("raise.lua")).await?,
            vouch: load(&mut commands, include_str!("vouch.lua")).await?,
        };
        let now = Instant::now();
        let mut teller = Self {
            cursor: PageCursor::default(),
            word: state_keys::word(&tokens.list_keys().await?),
            store,
            tokens,
            commands,
            _connection: connection,
            scripts,
            wakeups,
            changes,
            lately: Lately::default(),
            vouched: HashSet::new(),
            vouched_since: now,
            word_since: now,
        };
        teller.write_news(true).await?;
        Ok(teller)
    }

    /// Reads the log from the cursor on, and writes what is read: all of it on a new connection, later only what was not
    /// written a moment ago.
    async fn write_news(&mut self, all: bool) -> Result<(), Silence> {
        loop {
            let cursor = self.cursor;
            let read = self.store.read("revocations_for_cache", |tx| {
                Box::pin(revocation_log::page(tx, cursor, PAGE))
            });
            let (rows, next) = read.await?;
            let mut burials = pipe();
            for row in &rows {
                let news = News {
                    kind: &row.kind,
                    key: &row.key,
                    generation: row.generation,
                    expires_at: row.expires_at,
                };
                let now = self.store.now();
                if all {
                    state_keys::bury(&mut burials, &self.scripts, &news, now);
                } else {
                    state_keys::bury_once(&mut burials, &self.scripts, &mut self.lately, &news, now);
                }
            }
            if !burials.is_empty() {
                self.send(&burials).await?;
            }
            self.cursor = next;
            if rows.len() < usize::try_from(PAGE).unwrap_or(usize::MAX) {
                return Ok(());
            }
        }
    }

    /// Until Redis fails, or we are to stop.
    async fn tell(&mut self, good: &mut mpsc::Receiver<Good>, stop: &CancellationToken) -> Silence {
        let mut waiting = Vec::new();
        let mut next = tokio::time::Instant::now();
        loop {
            let told = tokio::select! {
                biased;
                () = stop.cancelled() => Err(Silence::Stop),
                () = self.wakeups.wait() => self.tell_news().await,
                () = tokio::time::sleep_until(next) => {
                    next = tokio::time::Instant::now() + EVERY;
                    self.tell_news().await
                }
                _ = good.recv_many(&mut waiting, WAITING) => self.vouch(&mut waiting).await,
            };
            match told {
                // Nobody is told that all is fresh, and the next reading may be better.
                Ok(()) | Err(Silence::Log(_) | Silence::Keys(_)) => {}
                Err(silence) => return silence,
            }
        }
    }

    /// Reads the log, writes what is new, and only then that it is fresh.
    async fn tell_news(&mut self) -> Result<(), Silence> {
        // By its own clock, taken before the log is read: then it doesn't matter how long anything takes on the way.
        let (seconds, micros): (i64, i64) = self.ask(&cmd("TIME")).await?;
        self.lately.tidy(Instant::now());
        self.write_news(false).await?;
        if self.changes.has_changed().unwrap_or(false) {
            self.changes.mark_unchanged();
            let word = state_keys::word(&self.tokens.list_keys().await?);
            if word != self.word {
                (self.word, self.word_since) = (word, Instant::now());
                self.vouched.clear();
            }
        }
        let until = seconds * 1_000 + micros / 1_000 + i64::try_from(BOUND.as_millis()).unwrap_or(1_000);
        let mut fresh = cmd("SET");
        fresh.arg(FRESH).arg(&self.word).arg("PXAT").arg(until);
        self.ask(&fresh).await
    }

    async fn vouch(&mut self, waiting: &mut Vec<Good>) -> Result<(), Silence> {
        let revocations = self.tokens.revocations();
        let now = Instant::now();
        let unsure = now.saturating_duration_since(self.word_since) < UNSURE || revocations.age() >= BOUND;
        if now.saturating_duration_since(self.vouched_since) >= EVERY * 20 {
            self.vouched_since = now;
            self.vouched.clear();
        }
        let mut vouches = pipe();
        for Good { claims, checked } in waiting.drain(..) {
            let late = now.saturating_duration_since(checked) >= BOUND;
            if unsure || late || revocations.is_revoked(&claims) || !self.vouched.insert(claims.jti.clone()) {
                continue;
            }
            state_keys::vouch(
                &mut vouches,
                &self.scripts,
                &self.lately,
                &claims,
                &self.word,
                self.store.now(),
            );
        }
        if vouches.is_empty() {
            return Ok(());
        }
        self.send(&vouches).await
    }

    async fn send(&mut self, pipe: &redis::Pipeline) -> Result<(), Silence> {
        Ok(in_time(pipe.query_async(&mut self.commands)).await?)
    }

    async fn ask<T: FromRedisValue>(&mut self, command: &redis::Cmd) -> Result<T, Silence> {
        Ok(in_time(command.query_async(&mut self.commands)).await?)
    }
}

async fn load(commands: &mut MultiplexedConnection, script: &str) -> Result<String, Failure> {
    let mut load = cmd("SCRIPT");
    load.arg("LOAD").arg(script);
    in_time(load.query_async(commands)).await
}

async fn in_time<T>(answer: impl Future<Output = Result<T, redis::RedisError>>) -> Result<T, Failure> {
    match tokio::time::timeout(PATIENCE, answer).await {
        Ok(answer) => Ok(answer?),
        Err(_) => Err(Failure::Late(PATIENCE)),
    }
}
