//! Casts: short words to every process on the same database, best effort. What matters stands in a table; a cast
//! only says it sooner.
//!
//! In this process at once. On PostgreSQL by `NOTIFY` on another connection, gathered, never inside a transaction of
//! the caller's; what is too long for that, or came too fast, is told as "look for yourself". On SQLite another
//! process sees that something was written, and is told just that.

use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::{broadcast, mpsc};
use uuid::Uuid;

use crate::notify::Channel;
use crate::wake::Hub;

/// How many casts a slow listener may be behind before it is told to look for itself.
const BEHIND: usize = 1_024;
/// How many wait to be told to other processes.
const WAITING: usize = 1_024;
/// How many are told with one statement.
const TOGETHER: usize = 64;
/// PostgreSQL takes less than 8,000 bytes; what stands before the body takes some.
const LONGEST: usize = 7_500;
/// As for wake-ups: a storm helps nobody.
const EVERY: Duration = Duration::from_millis(5);

/// What a listener hears.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cast {
    /// Somebody said this.
    Said {
        /// What it is about.
        topic: Arc<str>,
        /// What was said.
        body: Arc<[u8]>,
    },
    /// Something may have been said that this listener did not hear: look for yourself.
    Missed,
}

/// Hears casts; made by [`Store::casts`](crate::Store::casts).
#[derive(Debug)]
pub struct Casts {
    receiver: broadcast::Receiver<Cast>,
    /// Keeps the listener running as long as somebody listens.
    _hub: Arc<Hub>,
}

impl Casts {
    pub(crate) fn new(receiver: broadcast::Receiver<Cast>, hub: Arc<Hub>) -> Self {
        Self { receiver, _hub: hub }
    }

    /// The next one. A listener that is too slow is told that it missed some.
    pub async fn next(&mut self) -> Cast {
        match self.receiver.recv().await {
            Ok(cast) => cast,
            Err(broadcast::error::RecvError::Lagged(_)) => Cast::Missed,
            // The hub is kept by this very value.
            Err(broadcast::error::RecvError::Closed) => std::future::pending().await,
        }
    }
}

/// The casting side of a store.
#[derive(Debug)]
pub(crate) struct Casting {
    here: broadcast::Sender<Cast>,
    remote: Option<Remote>,
}

#[derive(Debug)]
struct Remote {
    channel: Channel,
    this: Uuid,
    /// Equal notifications of one transaction are told once, so no two of ours are equal.
    number: AtomicU64,
    notifier: OnceLock<mpsc::Sender<String>>,
    /// One did not fit into what waits: the others are to look.
    dropped: Arc<AtomicBool>,
}

impl Casting {
    pub(crate) fn new(postgres: Option<(Channel, Uuid)>) -> Self {
        Self {
            here: broadcast::Sender::new(BEHIND),
            remote: postgres.map(|(channel, this)| Remote {
                channel,
                this,
                number: AtomicU64::new(0),
                notifier: OnceLock::new(),
                dropped: Arc::default(),
            }),
        }
    }

    pub(crate) fn listen(&self) -> broadcast::Receiver<Cast> {
        self.here.subscribe()
    }

    /// Nobody listening is normal.
    pub(crate) fn missed(&self) {
        let _ = self.here.send(Cast::Missed);
    }

    /// Says it here, and to the other processes.
    pub(crate) fn say(&self, topic: &str, body: &[u8]) {
        let _ = self.here.send(Cast::Said {
            topic: topic.into(),
            body: body.into(),
        });
        if let Some(remote) = &self.remote {
            remote.say(topic, body);
        }
    }

    /// What another process said.
    pub(crate) fn heard(&self, note: &str) {
        let _ = self.here.send(read(note).unwrap_or(Cast::Missed));
    }
}

/// `NUMBER TOPIC t TEXT`, `NUMBER TOPIC x HEX`, or without what was said if it was too long.
fn read(note: &str) -> Option<Cast> {
    let mut parts = note.splitn(4, ' ');
    let (_, topic, form, body) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let body: Arc<[u8]> = match form {
        "t" => body.as_bytes().into(),
        "x" => unhex(body)?.into(),
        _ => return None,
    };
    Some(Cast::Said {
        topic: topic.into(),
        body,
    })
}

fn note(topic: &str, body: &[u8]) -> String {
    let text = std::str::from_utf8(body).ok().filter(|text| !text.contains('\0'));
    let whole = if let Some(text) = text {
        format!("{topic} t {text}")
    } else {
        let mut hex = format!("{topic} x ");
        for byte in body {
            let _ = write!(hex, "{byte:02x}");
        }
        hex
    };
    if whole.len() > LONGEST {
        "?".to_owned()
    } else {
        whole
    }
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let pairs = text.as_bytes().chunks(2);
    pairs
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok())
        .collect()
}

impl Remote {
    fn say(&self, topic: &str, body: &[u8]) {
        if tokio::runtime::Handle::try_current().is_err() {
            return;
        }
        let notifier = self.notifier.get_or_init(|| {
            let (sender, receiver) = mpsc::channel(WAITING);
            let (this, dropped) = (self.this, Arc::clone(&self.dropped));
            tokio::spawn(notify(receiver, self.channel.clone(), this, dropped));
            sender
        });
        let number = self.number.fetch_add(1, Ordering::Relaxed);
        let note = format!("{} {number} {}", self.this, note(topic, body));
        if notifier.try_send(note).is_err() {
            self.dropped.store(true, Ordering::Relaxed);
        }
    }
}

async fn notify(mut notes: mpsc::Receiver<String>, channel: Channel, this: Uuid, dropped: Arc<AtomicBool>) {
    let mut gathered = Vec::new();
    while notes.recv_many(&mut gathered, TOGETHER).await > 0 {
        if dropped.swap(false, Ordering::Relaxed) {
            gathered.push(format!("{this} ? ?"));
        }
        if let Err(error) = channel.tell(&gathered).await {
            dropped.store(true, Ordering::Relaxed);
            tracing::debug!(%error, "other instances did not hear a cast; they will find it when they next look");
        }
        gathered.clear();
        tokio::time::sleep(EVERY).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let long = vec![b'a'; LONGEST];
        for body in [
            &b"hello there"[..],
            b"",
            b"a\0b",
            &[0xff, 0x00, 0x7f],
            "привіт  \n".as_bytes(),
        ] {
            let note = format!("7 {}", note("chat.room", body));
            let said = Cast::Said {
                topic: "chat.room".into(),
                body: body.into(),
            };
            assert_eq!(read(&note), Some(said), "{note:?}");
        }
        assert_eq!(read(&format!("7 {}", note("chat.room", &long))), None);
        assert_eq!(read("? ?"), None);
    }
}
