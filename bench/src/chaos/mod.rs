//! Everything is killed, again and again, while letters are asked for from all sides; then it is counted
//! what became of each.
//!
//! ```no_run
//! use gatepost_bench::chaos::Plan;
//!
//! let report = Plan::new("target/release/gatepost").minutes(5).run();
//! println!("{report}");
//! assert!(report.faults.is_empty());
//! ```
//!
//! The program runs as three processes (api, worker, dispatcher) on a PostgreSQL and a RabbitMQ of its own and
//! sends to a mail server of ours. Every five seconds one of these six is killed with SIGKILL, none of them
//! before it has answered for ten seconds. Whoever asks for a letter writes down whether that was answered:
//!
//! - every answered letter was delivered, or stands `unknown` after two starts that a kill cut off;
//! - every twin has the kill that hit its window, and the same Message-ID; nothing comes three times.

mod letters;
mod publishers;
mod report;
mod servers;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use gatepost_storage::{Clock, Timestamp};

use crate::outside::{Client, Manner, Postgres, Rabbit, Setup, Sink};
use letters::Letters;
pub use publishers::flood;
pub use report::Report;
use servers::{Server, Watch};

/// What is to be done.
#[derive(Debug, Clone)]
pub struct Plan {
    executable: PathBuf,
    how_long: Duration,
    rate: u32,
    seed: u64,
    broker: bool,
}

/// When it began, by both clocks: the ledger tells times of day, everything else is measured.
#[derive(Debug, Clone, Copy)]
struct Start {
    instant: Instant,
    time: Timestamp,
}

impl Start {
    /// When a server was killed and when it was back.
    fn tell(self, kill: &Kill) -> String {
        let seconds = |at: Instant| at.saturating_duration_since(self.instant).as_secs_f64();
        let back = kill.back.map_or("not back".to_owned(), |back| {
            format!("back at {:.1} s", seconds(back))
        });
        format!("{} at {:.2} s, {back}", kill.server, seconds(kill.at))
    }
}

/// One kill.
#[derive(Debug, Clone)]
struct Kill {
    server: &'static str,
    at: Instant,
    /// When it answered again.
    back: Option<Instant>,
}

const EVERY: Duration = Duration::from_secs(5);
/// How long a server must have answered before it is killed again.
const SETTLED: Duration = Duration::from_secs(10);
/// How long everything may take to be delivered when nothing is killed any more: a letter without an answer to
/// its dot rests for 30 s, a mail server that was down is tried again after a minute at most.
const DRAIN: Duration = Duration::from_mins(4);

impl Plan {
    /// A minute at 200 letters a second.
    pub fn new(executable: impl Into<PathBuf>) -> Self {
        Self {
            executable: executable.into(),
            how_long: Duration::from_mins(1),
            rate: 200,
            seed: getrandom::u64().expect("random bytes"),
            broker: true,
        }
    }

    /// How long to kill.
    #[must_use]
    pub fn minutes(self, minutes: u64) -> Self {
        self.seconds(minutes * 60)
    }

    /// How long to kill.
    #[must_use]
    pub fn seconds(mut self, seconds: u64) -> Self {
        self.how_long = Duration::from_secs(seconds);
        self
    }

    /// Letters a second, from all publishers together.
    #[must_use]
    pub fn rate(mut self, letters: u32) -> Self {
        self.rate = letters;
        self
    }

    /// The same kills again: the seed that a report names.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Without RabbitMQ: messages are rows in the database, and nobody publishes with pika.
    #[must_use]
    pub fn embedded(mut self) -> Self {
        self.broker = false;
        self
    }

    /// Does it.
    pub fn run(&self) -> Report {
        let postgres = Postgres::start();
        let rabbit = self.broker.then(Rabbit::start);
        let sink = Arc::new(Sink::sparing());
        // A moment between having a letter and saying so, as real servers have it: only then can a kill make a twin.
        sink.behave(Manner::Slow(Duration::from_millis(3)));
        let mut setup = Setup::new(&self.executable)
            .postgres(&postgres.url())
            .unlimited()
            .smtp(sink.port())
            .set("log.level", "\"warn\"");
        if let Some(rabbit) = &rabbit {
            setup = setup.rabbitmq(&rabbit.url());
        }
        let [api, worker, dispatcher] =
            ["api", "worker", "dispatcher"].map(|role| setup.clone().role(role).start());
        // The place of the command line: configured like the others, and never served from.
        let desk = setup.prepare();
        let key = desk.key(&["mail:send", "mail:read"]);
        let door = Door {
            base: api.base(),
            key,
            postgres: postgres.url(),
            rabbit: rabbit.as_ref().map(Rabbit::url),
            schema: setup
                .setting("storage.schema")
                .unwrap_or_default()
                .replace('"', ""),
        };
        let mut servers = vec![
            Server::Process("api", api),
            Server::Process("worker", worker),
            Server::Process("dispatcher", dispatcher),
            Server::Postgres(postgres),
            Server::Sink(Arc::clone(&sink)),
        ];
        servers.extend(rabbit.map(Server::Rabbit));
        let watches: Vec<Watch> = servers.into_iter().map(Watch::begin).collect();

        let start = Start {
            instant: Instant::now(),
            time: Clock::system().now(),
        };
        let letters = Arc::new(Letters::default());
        let go_on = Arc::new(AtomicBool::new(true));
        let publishers = publishers::begin(self.rate, &door, desk, &letters, &go_on);
        self.kill(&watches);
        go_on.store(false, Ordering::Relaxed);
        for publisher in publishers {
            publisher.join().expect("a publisher ends by itself");
        }
        let reader = Client::new(&door.base).with_bearer(&door.key);
        let drained = report::drain(&sink, &letters, &reader, DRAIN);
        Report::of(
            self,
            start,
            &letters,
            &sink.received(),
            watches.into_iter().map(Watch::end),
            &reader,
            drained,
        )
    }

    /// Kills one after the other until the time is over; who was killed least comes first.
    fn kill(&self, watches: &[Watch]) {
        let began = Instant::now();
        let mut dice = self.seed;
        for nth in 1.. {
            let due = EVERY * nth;
            if due >= self.how_long {
                break;
            }
            thread::sleep((began + due).saturating_duration_since(Instant::now()));
            let ready = watches.iter().filter(|watch| watch.has_answered_for(SETTLED));
            if let Some(watch) = ready.min_by_key(|watch| (watch.kills(), roll(&mut dice))) {
                watch.kill();
            }
        }
        thread::sleep((began + self.how_long).saturating_duration_since(Instant::now()));
    }
}

/// Where letters are asked for.
#[derive(Debug, Clone)]
struct Door {
    base: String,
    key: String,
    postgres: String,
    rabbit: Option<String>,
    schema: String,
}

/// The next number of a sequence (xorshift64*; Vigna 2016).
fn roll(state: &mut u64) -> u64 {
    *state |= 1 << 63;
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    state.wrapping_mul(0x2545_F491_4F6C_DD1D)
}
