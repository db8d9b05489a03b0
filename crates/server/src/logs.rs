//! What the program says about itself: for a person on a terminal, one JSON object a line elsewhere, and the
//! same objects in a file that is turned over by size.
//!
//! Lines are written by threads of their own, so that a slow disk or a stopped terminal holds up nobody. If one
//! can't keep up, lines are dropped, counted, and the count is written as soon as there is room again. Every line
//! passes a filter on its way: addresses are masked, tokens, keys and passwords in URLs left out.
//! That is the second guard; the first is that no code logs them.

mod redact;
pub(crate) mod request;
mod rotate;
mod sink;

pub use sink::Guard;

use std::io::{self, IsTerminal};
use std::path::PathBuf;

use gatepost_storage::Clock;
use tracing::Level;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::FormatTime;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::{Layer, Registry, fmt};

use crate::config::{Log, LogFormat};
use request::About;
use sink::Sink;

/// Why there are no logs.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The file can't be opened.
    #[error("the log file {path} can't be written: {source}; check log.file and who may write there")]
    File {
        /// Which one.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A thread can't be started.
    #[error("a thread for the logs can't be started: {0}")]
    Thread(io::Error),
    /// Somebody set up logs already: a program that has Gatepost inside itself.
    #[error("logs have been set up already")]
    Already,
}

/// Starts the logs of `serve`: console and file. What is logged until the guard is dropped is written before its
/// drop returns, or two seconds have passed.
pub fn start(config: &Log) -> Result<Guard, LogError> {
    let json = match config.format {
        LogFormat::Auto => !io::stderr().is_terminal(),
        LogFormat::Text => false,
        LogFormat::Json => true,
    };
    let console = Sink::start("console log", io::stderr()).map_err(LogError::Thread)?;
    let file = match &config.file {
        None => None,
        Some(path) => {
            let error = |source| LogError::File {
                path: path.clone(),
                source,
            };
            let file = rotate::Rotating::open(path, rotate::MAX_BYTES, rotate::KEPT).map_err(error)?;
            Some(Sink::start("file log", file).map_err(LogError::Thread)?)
        }
    };
    let guard = Guard::of([Some(&console), file.as_ref()]);
    let mut layers = vec![if json {
        json_layer(console)
    } else {
        text_layer(console)
    }];
    layers.extend(file.map(json_layer));
    let subscriber = Registry::default().with(layers).with(targets(&config.level));
    tracing::subscriber::set_global_default(subscriber).map_err(|_| LogError::Already)?;
    log_panics();
    Ok(guard)
}

/// Logs of the other commands: warnings, on standard error, for a person. What is wrong with a broker the command says
/// itself, in one line, and not each attempt to reach it.
pub fn start_quiet() -> Result<Guard, LogError> {
    let console = Sink::start("console log", io::stderr()).map_err(LogError::Thread)?;
    let guard = Guard::of([Some(&console), None]);
    let subscriber = Registry::default()
        .with(text_layer(console))
        .with(targets("warn").with_target("gatepost_messaging", Level::ERROR));
    tracing::subscriber::set_global_default(subscriber).map_err(|_| LogError::Already)?;
    Ok(guard)
}

/// Ours at the level that was asked for; what other crates say only if something is wrong. `sqlx::query` prints
/// statements, which nobody needs who is not writing them. `lapin` prints every message that the broker gives
/// back, with its body; what goes wrong with a connection we say ourselves.
fn targets(level: &str) -> Targets {
    let level: Level = level.parse().unwrap_or(Level::INFO);
    let others = level.min(Level::WARN);
    let ours = [
        "gatepost",
        "gatepost_storage",
        "gatepost_tokens",
        "gatepost_messaging",
        "gatepost_mail",
        "tower_http",
    ];
    Targets::new()
        .with_default(others)
        .with_targets(ours.map(|target| (target, level)))
        .with_target("sqlx::query", tracing::level_filters::LevelFilter::OFF)
        .with_target("lapin", tracing::level_filters::LevelFilter::OFF)
}

type Boxed = Box<dyn Layer<Registry> + Send + Sync>;

fn json_layer(sink: Sink) -> Boxed {
    fmt::layer()
        .json()
        .flatten_event(true)
        .with_span_list(false)
        .with_timer(Utc(Clock::system()))
        .map_event_format(About::Json)
        .with_writer(sink)
        .boxed()
}

fn text_layer(sink: Sink) -> Boxed {
    let colours = io::stderr().is_terminal();
    fmt::layer()
        .with_ansi(colours)
        .with_target(false)
        .with_timer(Short(Clock::system()))
        .map_event_format(|format| About::Text(format.with_ansi(colours)))
        .with_writer(sink)
        .boxed()
}

/// RFC 3339 in UTC, to the microsecond.
struct Utc(Clock);

impl FormatTime for Utc {
    fn format_time(&self, w: &mut Writer<'_>) -> std::fmt::Result {
        write!(w, "{}", self.0.now())
    }
}

/// The hour of the day, for a person who looks on: `12:00:00`, UTC.
struct Short(Clock);

impl FormatTime for Short {
    fn format_time(&self, w: &mut Writer<'_>) -> std::fmt::Result {
        let now = self.0.now().to_string();
        write!(w, "{}", now.get(11..19).unwrap_or(&now))
    }
}

/// A panic is a defect: logged like everything else, and not written around the logs.
fn log_panics() {
    std::panic::set_hook(Box::new(|info| {
        let place = info.location().map(ToString::to_string).unwrap_or_default();
        tracing::error!(
            place,
            "a defect: {}",
            info.payload_as_str().unwrap_or("it panicked")
        );
    }));
}
