//! Wake-ups: hints that a table has changed. The table is the truth; a hint may be lost or come twice.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};
use std::time::Duration;

use sqlx::PgPool;
use sqlx::postgres::{PgListener, PgPoolOptions};
use tokio::sync::{mpsc, watch};
use uuid::Uuid;

use crate::backend::Backend;
use crate::casts::{Casting, Casts};
use crate::notify::Channel;

/// A process tells the others of a topic at most this often: commits with `NOTIFY` in them queue up
/// behind one lock, and even after the commit a storm helps nobody.
const NOTIFY_EVERY: Duration = Duration::from_millis(5);

/// How long a process listens before it looks whether its store still lives, and whether it has heard anything.
const LISTEN_FOR: Duration = Duration::from_secs(30);
/// What a process tells to hear itself.
const HELLO: &str = "hello";

/// Wakes who waits for a topic. Any number of wakes before a wait are one.
#[derive(Debug)]
pub struct Wakeups {
    changes: watch::Receiver<u64>,
    /// Keeps the listener running as long as somebody listens.
    _hub: Arc<Hub>,
}

impl Wakeups {
    /// Waits for the next wake; at once if there was one since the last wait.
    pub async fn wait(&mut self) {
        if self.changes.changed().await.is_err() {
            // The store is gone, so nothing will ever change again.
            std::future::pending::<()>().await;
        }
    }

    /// How many wakes there have been. Who remembers the number can tell without waiting whether there was another.
    pub fn count(&self) -> u64 {
        *self.changes.borrow()
    }

    /// Forgets the wakes so far.
    pub fn forget(&mut self) {
        self.changes.mark_unchanged();
    }
}

#[derive(Debug)]
pub(crate) struct Hub {
    topics: Mutex<HashMap<&'static str, watch::Sender<u64>>>,
    remote: Option<Remote>,
    casting: Casting,
}

/// How other processes are told, on PostgreSQL.
#[derive(Debug)]
struct Remote {
    /// Where to listen; nowhere behind a pooler that would not pass on what is heard.
    listen: Option<PgPool>,
    channel: Channel,
    /// The channel of [casts](crate::casts).
    casts: Channel,
    /// Marks our own notifications, which we have acted upon already.
    this: Uuid,
    notifier: OnceLock<mpsc::UnboundedSender<&'static str>>,
    listener: OnceLock<()>,
}

impl Hub {
    pub(crate) fn new(backend: &Backend, schema: &str) -> Self {
        let remote = match backend {
            Backend::Sqlite { .. } => None,
            Backend::Postgres {
                connections,
                listen,
                keeps_sessions,
            } => {
                let mut random = [0_u8; 16];
                crate::ids::fill_random(&mut random);
                let listen = listen
                    .clone()
                    .map(|options| PgPoolOptions::new().max_connections(1).connect_lazy_with(options));
                let channel = |name| Channel::new(connections, *keeps_sessions, format!("{schema}_{name}"));
                Some(Remote {
                    listen,
                    channel: channel("wake"),
                    casts: channel("cast"),
                    this: Uuid::from_bytes(random),
                    notifier: OnceLock::new(),
                    listener: OnceLock::new(),
                })
            }
        };
        let casting = Casting::new(remote.as_ref().map(|remote| (remote.casts.clone(), remote.this)));
        Self {
            topics: Mutex::default(),
            remote,
            casting,
        }
    }

    /// Says something to every process.
    pub(crate) fn cast(&self, topic: &str, body: &[u8]) {
        self.casting.say(topic, body);
    }

    /// Hears what any process says.
    pub(crate) fn casts(self: &Arc<Self>) -> Casts {
        let receiver = self.casting.listen();
        self.start_listening();
        Casts::new(receiver, Arc::clone(self))
    }

    fn start_listening(self: &Arc<Self>) {
        if let Some(remote) = &self.remote
            && let Some(pool) = &remote.listen
            && remote.listener.set(()).is_ok()
        {
            let channels = [&remote.channel, &remote.casts].map(|channel| channel.name().to_owned());
            tokio::spawn(listen(Arc::downgrade(self), pool.clone(), channels, remote.this));
        }
    }

    pub(crate) fn subscribe(self: &Arc<Self>, topic: &'static str) -> Wakeups {
        let changes = {
            let mut topics = self.topics.lock().unwrap_or_else(PoisonError::into_inner);
            topics
                .entry(topic)
                .or_insert_with(|| watch::Sender::new(0))
                .subscribe()
        };
        self.start_listening();
        Wakeups {
            changes,
            _hub: Arc::clone(self),
        }
    }

    /// Wakes `topics` here at once and tells the other processes.
    pub(crate) fn wake(&self, topics: &[&'static str]) {
        for topic in topics {
            self.wake_here(topic);
        }
        if let Some(remote) = &self.remote {
            remote.tell(topics);
        }
    }

    pub(crate) fn wake_all_here(&self) {
        self.casting.missed();
        for sender in self
            .topics
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .values()
        {
            sender.send_modify(|n| *n = n.wrapping_add(1));
        }
    }

    fn wake_here(&self, topic: &str) {
        if let Some(sender) = self
            .topics
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(topic)
        {
            sender.send_modify(|n| *n = n.wrapping_add(1));
        }
    }

    /// For a commit that somebody else will make at an hour that can't be seen from here.
    pub(crate) fn wake_repeatedly(self: &Arc<Self>, topics: Vec<&'static str>) {
        if topics.is_empty() || tokio::runtime::Handle::try_current().is_err() {
            return;
        }
        let hub = Arc::downgrade(self);
        tokio::spawn(async move {
            for wait in [2_u64, 10, 40, 150, 800] {
                tokio::time::sleep(Duration::from_millis(wait)).await;
                let Some(hub) = hub.upgrade() else { return };
                hub.wake(&topics);
            }
        });
    }
}

impl Remote {
    fn tell(&self, topics: &[&'static str]) {
        if topics.is_empty() {
            return;
        }
        let notifier = self.notifier.get_or_init(|| {
            let (sender, receiver) = mpsc::unbounded_channel();
            tokio::spawn(notify(receiver, self.channel.clone(), self.this));
            sender
        });
        for topic in topics {
            // The task only ends with the runtime, and then nobody is left to be told.
            let _ = notifier.send(topic);
        }
    }
}

/// Sends what has gathered, then leaves the server alone for a while.
async fn notify(mut topics: mpsc::UnboundedReceiver<&'static str>, channel: Channel, this: Uuid) {
    while let Some(first) = topics.recv().await {
        let mut gathered = vec![format!("{this} {first}")];
        while let Ok(next) = topics.try_recv() {
            let payload = format!("{this} {next}");
            if !gathered.contains(&payload) {
                gathered.push(payload);
            }
        }
        if let Err(error) = channel.tell(&gathered).await {
            tracing::debug!(%error, "other instances were not told of a change; they will find it when they next look");
        }
        tokio::time::sleep(NOTIFY_EVERY).await;
    }
}

/// Passes on what other processes tell, for as long as the store lives.
async fn listen(hub: Weak<Hub>, pool: PgPool, channels: [String; 2], this: Uuid) {
    let own = format!("{this} ");
    let mut pause = Duration::from_millis(100);
    let (mut heard, mut complained) = (false, false);
    while hub.strong_count() > 0 {
        let connected = async {
            let mut listener = PgListener::connect_with(&pool).await?;
            listener.listen_all(channels.iter().map(String::as_str)).await?;
            Ok::<_, sqlx::Error>(listener)
        };
        let mut listener = match connected.await {
            Ok(listener) => listener,
            Err(error) => {
                tracing::debug!(%error, "can't listen for other instances' changes; trying again");
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(Duration::from_secs(5));
                continue;
            }
        };
        pause = Duration::from_millis(100);
        // Whatever was told while nobody listened.
        if let Some(hub) = hub.upgrade() {
            hub.wake_all_here();
            if let Some(remote) = &hub.remote {
                remote.tell(&[HELLO]);
            }
        }
        loop {
            let next = tokio::time::timeout(LISTEN_FOR, listener.try_recv()).await;
            let Some(hub) = hub.upgrade() else { return };
            match next {
                // Nothing for a while: see whether the store still lives, then listen on.
                Err(_) => {
                    if !heard && !complained {
                        tracing::warn!(
                            "what this process tells others can't be heard: storage.listen_url leads to a pooler in \
                             transaction mode, or to another database; set it to a direct connection to the database of \
                             storage.url, or what others write is noticed up to a second late"
                        );
                    }
                    complained = true;
                }
                Ok(Ok(Some(note))) => {
                    heard = true;
                    if !note.payload().starts_with(&own)
                        && let Some((_, said)) = note.payload().split_once(' ')
                    {
                        if note.channel() == channels[1] {
                            hub.casting.heard(said);
                        } else {
                            hub.wake_here(said);
                        }
                    }
                }
                Ok(Ok(None) | Err(_)) => {
                    hub.wake_all_here();
                    break;
                }
            }
        }
    }
}
