//! A mail server that misbehaves on purpose, for tests.
//!
//! What it does is told by the start of the recipient's local part, up to `-`, `+` or `.`:
//!
//! | prefix | does |
//! |---|---|
//! | `ok`, anything else | takes the letter |
//! | `tmp`, `perm`, `policy`, `full` | 450, 550 5.1.1, 550 5.7.1, 552 5.2.2 at `RCPT` |
//! | `grey` | 450 4.7.1 at `RCPT` until a minute ([`SmtpSink::greylist_for`]) after the first try |
//! | `dtmp`, `dperm` | 451, 554 after the final dot |
//! | `drop`, `hang`, `r421` | closes, says nothing, says 421 at `RCPT` |
//! | `garbage`, `halfline` | says what is no reply, or half of one, at `RCPT` |
//! | `dropindata` | closes in the middle of the content |
//! | `dropafterdot`, `hangafterdot`, `garbageafterdot` | keeps the letter, but closes, says nothing, or what is no reply |
//! | `r421afterdot` | says 421 after the final dot and does not keep the letter |
//! | `slow`, `slowperm` | takes the letter, or refuses it with 554, after 200 ms |
//!
//! With `once` before it (`oncedropafterdot-7@...`) it does so the first time and is good from then on.
//! What a whole server does is told by the setters of [`SmtpSink`].

mod talk;
mod tls;

use std::collections::{HashMap, HashSet};
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::watch;
use tokio::time::Instant;

pub use tls::SinkTls;

/// A letter that the sink kept.
#[derive(Debug, Clone)]
pub struct Received {
    /// The header `Message-ID`, with its angle brackets.
    pub message_id: String,
    /// The envelope's sender.
    pub from: String,
    /// The envelope's recipient.
    pub to: String,
    /// The content, dots unstuffed.
    pub data: String,
    /// What stood behind the sender's address in `MAIL`.
    pub parameters: String,
}

impl Received {
    /// The plain part, decoded far enough to look for a link in it.
    pub fn text(&self) -> String {
        self.data.replace("=\r\n", "").replace("=3D", "=")
    }
}

/// The server. Stops when it is dropped.
#[derive(Debug)]
pub struct SmtpSink {
    address: SocketAddr,
    shared: Arc<Shared>,
    up: watch::Sender<bool>,
    task: tokio::task::JoinHandle<()>,
}

#[derive(Debug, Default)]
struct Shared {
    received: Mutex<Vec<Received>>,
    // Recipients whose `once` is used up.
    done: Mutex<HashSet<String>>,
    // When a greylisted recipient was tried first.
    grey: Mutex<HashMap<String, Instant>>,
    logins: Mutex<Vec<String>>,
    dialogues: Mutex<usize>,
    open: Mutex<Open>,
    ways: Mutex<Ways>,
    tls: Option<tls::Acceptor>,
}

#[derive(Debug, Default)]
struct Open {
    now: usize,
    most: usize,
}

/// How the server does what it does, whoever the recipient.
#[derive(Debug, Clone)]
struct Ways {
    greeting: Option<String>,
    login: Option<(u16, String)>,
    mail_reply: Option<String>,
    offers: Vec<String>,
    ancient: bool,
    careless: bool,
    slow: Duration,
    grey: Duration,
    letters: usize,
}

impl Default for Ways {
    fn default() -> Self {
        Self {
            greeting: None,
            login: None,
            mail_reply: None,
            offers: ["PIPELINING", "AUTH PLAIN LOGIN XOAUTH2", "8BITMIME"]
                .map(str::to_owned)
                .to_vec(),
            ancient: false,
            careless: false,
            slow: Duration::ZERO,
            grey: Duration::from_mins(1),
            letters: usize::MAX,
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl SmtpSink {
    /// Listens on a free port of 127.0.0.1. Call it within a tokio runtime.
    pub fn start() -> io::Result<Self> {
        Self::listen(None)
    }

    /// The same with a certificate, from the first byte on or by `STARTTLS`.
    pub fn start_with_tls(tls: &SinkTls) -> io::Result<Self> {
        Self::listen(Some(tls::Acceptor::new(tls)?))
    }

    fn listen(tls: Option<tls::Acceptor>) -> io::Result<Self> {
        let listener = listen(SocketAddr::from(([127, 0, 0, 1], 0)))?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            tls,
            ..Shared::default()
        });
        let (up, watch) = watch::channel(true);
        let task = tokio::spawn(run(listener, address, shared.clone(), watch));
        Ok(Self {
            address,
            shared,
            up,
            task,
        })
    }

    /// What `mail.transport` says to send here without TLS.
    pub fn url(&self) -> String {
        format!("smtp://{}?tls=none", self.address)
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// All that was kept, in the order of their final dots.
    pub fn received(&self) -> Vec<Received> {
        lock(&self.shared.received).clone()
    }

    /// What was kept for one recipient.
    pub fn received_by(&self, to: &str) -> Vec<Received> {
        self.received().into_iter().filter(|mail| mail.to == to).collect()
    }

    /// Connections so far.
    pub fn dialogues(&self) -> usize {
        *lock(&self.shared.dialogues)
    }

    /// Connections at the same time, at most so far.
    pub fn most_at_once(&self) -> usize {
        lock(&self.shared.open).most
    }

    /// What stood behind `AUTH`, of every login: the mechanism and what was sent with it.
    pub fn logins(&self) -> Vec<String> {
        lock(&self.shared.logins).clone()
    }

    /// Greets with this line, such as `554 5.7.1 no`, and closes; `None` greets and goes on.
    pub fn answer_greeting(&self, line: Option<&str>) {
        lock(&self.shared.ways).greeting = line.map(str::to_owned);
    }

    /// Answers every `AUTH` with this code and text; none takes any password.
    pub fn answer_auth(&self, code: u16, text: &str) {
        lock(&self.shared.ways).login = Some((code, text.to_owned()));
    }

    /// Answers every `MAIL` with this line; `None` takes it.
    pub fn answer_mail(&self, line: Option<&str>) {
        lock(&self.shared.ways).mail_reply = line.map(str::to_owned);
    }

    /// What `EHLO` offers, one word (with its parameters) each; `PIPELINING`, `AUTH PLAIN LOGIN XOAUTH2` and
    /// `8BITMIME` unless changed.
    pub fn offer(&self, offers: &[&str]) {
        lock(&self.shared.ways).offers = offers.iter().map(|offer| (*offer).to_owned()).collect();
    }

    /// Whether PIPELINING is offered; it is unless turned off.
    pub fn offer_pipelining(&self, offer: bool) {
        let offers = &mut lock(&self.shared.ways).offers;
        offers.retain(|offer| offer != "PIPELINING");
        if offer {
            offers.insert(0, "PIPELINING".to_owned());
        }
    }

    /// Knows no `EHLO`, only `HELO`.
    pub fn be_ancient(&self) {
        lock(&self.shared.ways).ancient = true;
    }

    /// Takes `DATA` also when every recipient was refused, as RFC 2920 3.1 lets a server do.
    pub fn take_data_for_nobody(&self, take: bool) {
        lock(&self.shared.ways).careless = take;
    }

    /// Waits so long before every reply.
    pub fn answer_slowly(&self, wait: Duration) {
        lock(&self.shared.ways).slow = wait;
    }

    /// How long `grey` recipients are put off after their first try.
    pub fn greylist_for(&self, time: Duration) {
        lock(&self.shared.ways).grey = time;
    }

    /// Says 421 to the letter after so many on one connection, and closes.
    pub fn letters_per_connection(&self, letters: usize) {
        lock(&self.shared.ways).letters = letters;
    }

    /// Down: refuses connections and cuts the open ones. Up: listens again on the same port.
    pub fn set_up(&self, up: bool) {
        self.up.send_replace(up);
    }
}

impl Drop for SmtpSink {
    fn drop(&mut self) {
        self.task.abort();
        self.up.send_replace(false);
    }
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(256)
}

async fn run(listener: TcpListener, address: SocketAddr, shared: Arc<Shared>, mut up: watch::Receiver<bool>) {
    let mut listener = Some(listener);
    let switch = up.clone();
    loop {
        let Some(open) = &listener else {
            if up.wait_for(|up| *up).await.is_err() {
                return;
            }
            // The port may still be held for a moment by a connection that is closing.
            match listen(address) {
                Ok(open) => listener = Some(open),
                Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
            }
            continue;
        };
        tokio::select! {
            changed = up.wait_for(|up| !*up) => {
                if changed.is_err() {
                    return;
                }
                drop(changed);
                listener = None;
            }
            accepted = open.accept() => {
                let Ok((tcp, _)) = accepted else { continue };
                let (shared, mut up) = (shared.clone(), switch.clone());
                tokio::spawn(async move {
                    let _counted = Counted::new(&shared);
                    tokio::select! {
                        _ = talk::serve(tcp, &shared) => {}
                        // Dropping the stream cuts the dialogue.
                        _ = up.wait_for(|up| !*up) => {}
                    }
                });
            }
        }
    }
}

/// Counts one open connection for as long as it lives.
struct Counted<'a>(&'a Shared);

impl<'a> Counted<'a> {
    fn new(shared: &'a Shared) -> Self {
        *lock(&shared.dialogues) += 1;
        let mut open = lock(&shared.open);
        open.now += 1;
        open.most = open.most.max(open.now);
        Self(shared)
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        lock(&self.0.open).now -= 1;
    }
}
