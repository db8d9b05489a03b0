//! One connection that comes back by itself.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use futures_util::StreamExt;
use lapin::{Channel, Connection, Event};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::refusal::{self, unreachable};
use super::{connect, settings::RabbitSettings};
use crate::Error;

/// The first pause after a failed attempt to connect, at most; it doubles up to [`LONGEST_PAUSE`]. Each pause is
/// drawn from zero to this ("full jitter"), so that many programs do not come back at the same moment.
const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// How often a connection is looked at in case it ended without an event.
const LOOK: Duration = Duration::from_millis(200);

/// Which connection a channel is on: the first is 1, each later one is one more.
pub(crate) type Generation = u64;

/// How a connection stands.
#[derive(Clone)]
pub(crate) enum State {
    /// There is none. With why the last attempt failed.
    Down { error: Option<Arc<Error>> },
    /// There is one.
    Up(Up),
}

#[derive(Clone)]
pub(crate) struct Up {
    pub(crate) connection: Arc<Connection>,
    pub(crate) generation: Generation,
    /// Why the broker takes no messages, if so.
    pub(crate) blocked: Option<Arc<str>>,
    /// Whether there was one before that broke, or none could be had at first.
    pub(crate) after_outage: bool,
}

/// A connection that is made anew whenever it breaks, until this is dropped for the last time. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Supervised(Arc<Inner>);

struct Inner {
    settings: Arc<RabbitSettings>,
    purpose: &'static str,
    state: watch::Sender<State>,
    started: AtomicBool,
    stop: CancellationToken,
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// The same for a task that must not keep the connection.
#[derive(Clone)]
pub(super) struct WeakSupervised(Weak<Inner>);

impl WeakSupervised {
    pub(super) fn upgrade(&self) -> Option<Supervised> {
        self.0.upgrade().map(Supervised)
    }
}

impl Supervised {
    pub(super) fn downgrade(&self) -> WeakSupervised {
        WeakSupervised(Arc::downgrade(&self.0))
    }

    /// Made at its first use.
    pub(crate) fn new(settings: &Arc<RabbitSettings>, purpose: &'static str) -> Self {
        Self(Arc::new(Inner {
            settings: Arc::clone(settings),
            purpose,
            state: watch::Sender::new(State::Down { error: None }),
            started: AtomicBool::new(false),
            stop: CancellationToken::new(),
        }))
    }

    /// Begins to connect, in the background.
    pub(crate) fn start(&self) {
        if !self.0.started.swap(true, Ordering::AcqRel) {
            let task = Task {
                settings: Arc::clone(&self.0.settings),
                purpose: self.0.purpose,
                state: self.0.state.clone(),
                stop: self.0.stop.clone(),
            };
            tokio::spawn(task.run());
        }
    }

    /// Every change of its state.
    pub(crate) fn watch(&self) -> watch::Receiver<State> {
        self.start();
        self.0.state.subscribe()
    }

    /// The connection, waited for as long as it takes.
    ///
    /// # Errors
    /// [`Error::Closed`] at the end of the program.
    pub(crate) async fn up(&self) -> Result<Up, Error> {
        self.up_and(|_| true).await
    }

    /// The connection, once it is there and `fits`.
    ///
    /// # Errors
    /// [`Error::Closed`] at the end of the program.
    pub(crate) async fn up_and(&self, fits: impl Fn(&Up) -> bool) -> Result<Up, Error> {
        let mut states = self.watch();
        loop {
            if let State::Up(up) = &*states.borrow_and_update()
                && fits(up)
            {
                return Ok(up.clone());
            }
            states.changed().await.map_err(|_| Error::Closed)?;
        }
    }

    /// A new channel, and which connection it is on; waits for as long as it takes.
    ///
    /// # Errors
    /// [`Error::Closed`] at the end of the program.
    pub(crate) async fn channel(&self) -> Result<(Channel, Generation), Error> {
        loop {
            let up = self.up().await?;
            match self.within(up.connection.create_channel()).await {
                Ok(channel) => return Ok((channel, up.generation)),
                Err(error) => {
                    tracing::warn!(purpose = self.0.purpose, %error, "a channel could not be opened, trying again");
                    tokio::select! {
                        () = self.lost(up.generation) => {}
                        () = tokio::time::sleep(Duration::from_secs(1)) => {}
                    }
                }
            }
        }
    }

    /// The same for who asks once: not longer than `patience`, and no longer than until the broker refuses us, which
    /// waiting does not change.
    ///
    /// # Errors
    /// Why there is no connection.
    pub(super) async fn channel_soon(&self) -> Result<(Channel, Generation), Error> {
        tokio::select! {
            opened = tokio::time::timeout(self.0.settings.patience, self.channel()) => match opened {
                Ok(opened) => opened,
                Err(_) => Err(self
                    .why_down()
                    .unwrap_or_else(|| unreachable("no channel could be opened in time"))),
            },
            refused = self.refused() => Err(refused),
        }
    }

    /// Resolves when the broker refuses the connection.
    async fn refused(&self) -> Error {
        let mut states = self.watch();
        let refused = |state: &State| matches!(state, State::Down { error: Some(error) } if matches!(**error, Error::Refused { .. }));
        match states.wait_for(refused).await.as_deref() {
            Ok(State::Down { error: Some(error) }) => again(error),
            _ => Error::Closed,
        }
    }

    /// Resolves when the connection of this generation is gone.
    pub(crate) async fn lost(&self, generation: Generation) {
        let mut states = self.watch();
        let gone = |state: &State| !matches!(state, State::Up(up) if up.generation == generation);
        // The sender lives as long as this.
        let _ = states.wait_for(gone).await;
    }

    /// Waits for a request to the broker, but not for ever.
    ///
    /// # Errors
    /// What the broker refuses, or [`Error::Unreachable`].
    pub(crate) async fn within<T>(
        &self,
        request: impl Future<Output = lapin::Result<T>>,
    ) -> Result<T, Error> {
        match tokio::time::timeout(self.0.settings.patience, request).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => Err(refusal::classify(error)),
            Err(_) => Err(unreachable("it did not answer in time")),
        }
    }

    /// Why there is no connection, if there is none.
    pub(crate) fn why_down(&self) -> Option<Error> {
        match &*self.0.state.borrow() {
            State::Down { error: Some(error) } => Some(again(error)),
            State::Down { error: None } => Some(unreachable("there is no connection yet")),
            State::Up(_) => None,
        }
    }

    pub(crate) fn settings(&self) -> &RabbitSettings {
        &self.0.settings
    }
}

struct Task {
    settings: Arc<RabbitSettings>,
    purpose: &'static str,
    state: watch::Sender<State>,
    stop: CancellationToken,
}

impl Task {
    async fn run(self) {
        let (mut generation, mut failures) = (0, 0_u32);
        loop {
            let connected = tokio::select! {
                biased;
                () = self.stop.cancelled() => return,
                connected = connect::connect(&self.settings, self.purpose) => connected,
            };
            match connected {
                Ok(connection) => {
                    let after_outage = generation > 0 || failures > 0;
                    generation += 1;
                    failures = 0;
                    self.watch_over(Arc::new(connection), generation, after_outage)
                        .await;
                }
                Err(error) => {
                    failures = failures.saturating_add(1);
                    // The first failure is news, the hundredth is not.
                    if failures.is_power_of_two() {
                        tracing::warn!(broker = %self.settings.address(), purpose = self.purpose, %error, failures, "no connection with RabbitMQ, trying again");
                    }
                    let error = Some(Arc::new(error));
                    self.state.send_replace(State::Down { error });
                }
            }
            let longest = FIRST_PAUSE
                .saturating_mul(1 << failures.min(8))
                .min(LONGEST_PAUSE);
            let pause = longest.mul_f64(self.settings.random.next());
            tokio::select! {
                biased;
                () = self.stop.cancelled() => return,
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    /// Until the connection is gone.
    async fn watch_over(&self, connection: Arc<Connection>, generation: Generation, after_outage: bool) {
        // Listeners share events between them, so there is one.
        let mut events = std::pin::pin!(connection.events_listener());
        let up = |blocked| {
            State::Up(Up {
                connection: Arc::clone(&connection),
                generation,
                blocked,
                after_outage,
            })
        };
        // A block that came before anybody listened shows in the status alone.
        let early = connection
            .status()
            .blocked()
            .then(|| "an alarm of the broker".into());
        self.state.send_replace(up(early));
        tracing::info!(broker = %self.settings.address(), purpose = self.purpose, generation, "connected to RabbitMQ");
        let mut why = None;
        loop {
            let event = tokio::select! {
                biased;
                () = self.stop.cancelled() => {
                    let close = connection.close(200, "bye".into());
                    let _ = tokio::time::timeout(Duration::from_secs(2), close).await;
                    return;
                }
                event = events.next() => event,
                () = tokio::time::sleep(LOOK) => None,
            };
            match event {
                Some(Event::ConnectionBlocked(reason)) => {
                    tracing::warn!(broker = %self.settings.address(), purpose = self.purpose, reason, "RabbitMQ takes no messages");
                    self.state.send_replace(up(Some(reason.into())));
                }
                Some(Event::ConnectionUnblocked) => {
                    tracing::info!(broker = %self.settings.address(), purpose = self.purpose, "RabbitMQ takes messages again");
                    self.state.send_replace(up(None));
                }
                // Those of its channels come this way as well, and are none of its own.
                Some(Event::Error(error)) if !connection.status().connected() => why = Some(error),
                _ => {}
            }
            if !connection.status().connected() {
                break;
            }
        }
        let error = why.map_or_else(|| unreachable("the connection was closed"), refusal::classify);
        tracing::warn!(broker = %self.settings.address(), purpose = self.purpose, generation, %error, "the connection with RabbitMQ is gone");
        let error = Some(Arc::new(error));
        self.state.send_replace(State::Down { error });
    }
}

/// The same failure once more, for somebody else.
fn again(error: &Arc<Error>) -> Error {
    let (why, source) = match &**error {
        Error::Refused { why, source } => {
            return Error::Refused {
                why: why.clone(),
                source: source.clone(),
            };
        }
        Error::Unreachable { why, source } => (why.clone(), source.clone()),
        other => (other.to_string(), None),
    };
    Error::Unreachable { why, source }
}
