//! The servers, each with a thread that kills it when it is told to, starts it again, and sees whether it answers.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::Kill;
use crate::outside::{Client, Instance, Postgres, Rabbit, Sink};

const LOOK_EVERY: Duration = Duration::from_millis(100);

/// What can be killed.
#[derive(Debug)]
pub(super) enum Server {
    /// A process of Gatepost, by its role.
    Process(&'static str, Instance),
    /// The database.
    Postgres(Postgres),
    /// The broker.
    Rabbit(Rabbit),
    /// The mail server.
    Sink(Arc<Sink>),
}

impl Server {
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Process(role, _) => role,
            Self::Postgres(_) => "PostgreSQL",
            Self::Rabbit(_) => "RabbitMQ",
            Self::Sink(_) => "mail server",
        }
    }

    /// SIGKILL.
    fn kill(&mut self) {
        match self {
            Self::Process(_, instance) => instance.kill(),
            Self::Postgres(postgres) => postgres.kill(),
            Self::Rabbit(rabbit) => rabbit.kill(),
            Self::Sink(sink) => sink.kill(),
        }
    }

    /// What a supervisor does, some time later.
    fn start(&mut self) {
        match self {
            Self::Process(_, instance) => {
                thread::sleep(Duration::from_millis(200));
                instance.spawn();
            }
            Self::Postgres(postgres) => postgres.restart(),
            Self::Rabbit(rabbit) => rabbit.restart(),
            Self::Sink(sink) => {
                thread::sleep(Duration::from_secs(1));
                sink.revive();
            }
        }
    }

    /// What it said when it ended without being killed.
    fn ended(&mut self) -> Option<String> {
        let Self::Process(_, instance) = self else {
            return None;
        };
        let status = instance.ended()?;
        let said = instance.said();
        Some(format!("{status}: {}", said.lines().last().unwrap_or_default()))
    }

    fn answers(&self) -> bool {
        match self {
            Self::Process(_, instance) => Client::patient(&instance.base(), Duration::from_secs(2))
                .try_send("GET", "/readyz", None)
                .is_ok_and(|answer| answer.status == 200),
            Self::Postgres(postgres) => postgres.answers(),
            Self::Rabbit(rabbit) => rabbit.answers(),
            Self::Sink(sink) => sink.answers(),
        }
    }
}

/// A watched server.
#[derive(Debug)]
pub(super) struct Watch {
    shared: Arc<Shared>,
    thread: JoinHandle<Server>,
}

/// A server's life as it was seen.
#[derive(Debug)]
pub(super) struct Watched {
    pub(super) kills: Vec<Kill>,
    pub(super) own_ends: Vec<String>,
    /// Dropped, and with it ended, when nobody asks it any more.
    server: Server,
}

impl Watched {
    /// The queues of a broker that hold something or do not run: name, state, ready, in hand, consumers.
    pub(super) fn queues(&self) -> Vec<String> {
        let Server::Rabbit(rabbit) = &self.server else {
            return Vec::new();
        };
        let listed = rabbit.ctl(&[
            "list_queues",
            "name",
            "state",
            "messages_ready",
            "messages_unacknowledged",
            "consumers",
        ]);
        let holds = |line: &&str| {
            let fields: Vec<&str> = line.split('\t').collect();
            matches!(fields[..], [_, state, ready, in_hand, _] if (state, ready, in_hand) != ("running", "0", "0"))
        };
        listed.lines().skip(1).filter(holds).map(str::to_owned).collect()
    }
}

#[derive(Debug, Default)]
struct Shared {
    wanted: AtomicBool,
    over: AtomicBool,
    seen: Mutex<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    answers_since: Option<Instant>,
    kills: Vec<Kill>,
    own_ends: Vec<String>,
}

impl Watch {
    pub(super) fn begin(server: Server) -> Self {
        let shared = Arc::new(Shared::default());
        let theirs = Arc::clone(&shared);
        let thread = thread::spawn(move || theirs.watch(server));
        Self { shared, thread }
    }

    /// Asks for a kill; it follows at once.
    pub(super) fn kill(&self) {
        self.shared.wanted.store(true, Ordering::Relaxed);
        self.thread.thread().unpark();
    }

    pub(super) fn has_answered_for(&self, time: Duration) -> bool {
        let since = self.shared.seen().answers_since;
        since.is_some_and(|since| since.elapsed() >= time)
    }

    pub(super) fn kills(&self) -> usize {
        self.shared.seen().kills.len()
    }

    /// Stops watching.
    pub(super) fn end(self) -> Watched {
        self.shared.over.store(true, Ordering::Relaxed);
        let server = self.thread.join().expect("the watch does not fail");
        let mut seen = self.shared.seen();
        Watched {
            kills: std::mem::take(&mut seen.kills),
            own_ends: std::mem::take(&mut seen.own_ends),
            server,
        }
    }
}

impl Shared {
    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn watch(&self, mut server: Server) -> Server {
        while !self.over.load(Ordering::Relaxed) {
            if self.wanted.swap(false, Ordering::Relaxed) {
                let mut seen = self.seen();
                seen.answers_since = None;
                seen.kills.push(Kill {
                    server: server.name(),
                    at: Instant::now(),
                    back: None,
                });
                drop(seen);
                server.kill();
                server.start();
            } else if let Some(how) = server.ended() {
                self.seen().own_ends.push(format!("{} {how}", server.name()));
                server.start();
            }
            let answers = server.answers();
            let mut seen = self.seen();
            if !answers {
                seen.answers_since = None;
            } else if seen.answers_since.is_none() {
                seen.answers_since = Some(Instant::now());
                if let Some(kill) = seen.kills.last_mut() {
                    kill.back.get_or_insert_with(Instant::now);
                }
            }
            drop(seen);
            thread::park_timeout(LOOK_EVERY);
        }
        server
    }
}
