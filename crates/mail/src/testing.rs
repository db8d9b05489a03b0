//! A mail server that misbehaves on purpose, for tests.
//!
//! What it does is told by the start of the recipient's local part, up to `-`, `+` or `.`:
//!
//! | prefix | does |
//! |---|---|
//! | `ok`, anything else | takes the letter |
//! | `tmp`, `perm`, `policy` | 450, 550 5.1.1, 550 5.7.1 at `RCPT` |
//! | `dtmp`, `dperm` | 451, 554 after the final dot |
//! | `drop`, `hang`, `r421` | closes, says nothing, says 421 at `RCPT` |
//! | `dropindata` | closes in the middle of the content |
//! | `dropafterdot`, `hangafterdot` | keeps the letter, but closes, or says nothing |
//! | `slow` | takes the letter after 200 ms |
//!
//! With `once` before it (`oncedropafterdot-7@...`) it does so the first time and is good from then on.

use std::collections::HashSet;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::watch;

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
    login: Mutex<Option<(u16, String)>>,
    mail_reply: Mutex<Option<String>>,
    dialogues: Mutex<usize>,
    pipelining: Mutex<bool>,
    careless: Mutex<bool>,
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl SmtpSink {
    /// Listens on a free port of 127.0.0.1. Call it within a tokio runtime.
    pub fn start() -> io::Result<Self> {
        let listener = listen(SocketAddr::from(([127, 0, 0, 1], 0)))?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            pipelining: Mutex::new(true),
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

    /// What `mail.transport` says to send here.
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

    /// Answers every `AUTH` with this code and text; none takes any password.
    pub fn answer_auth(&self, code: u16, text: &str) {
        *lock(&self.shared.login) = Some((code, text.to_owned()));
    }

    /// Answers every `MAIL` with this line; `None` takes it.
    pub fn answer_mail(&self, line: Option<&str>) {
        *lock(&self.shared.mail_reply) = line.map(str::to_owned);
    }

    /// Whether PIPELINING is offered; it is unless turned off.
    pub fn offer_pipelining(&self, offer: bool) {
        *lock(&self.shared.pipelining) = offer;
    }

    /// Takes `DATA` also when every recipient was refused, as RFC 2920 3.1 lets a server do.
    pub fn take_data_for_nobody(&self, take: bool) {
        *lock(&self.shared.careless) = take;
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
                    tokio::select! {
                        _ = talk(tcp, &shared) => {}
                        // Dropping the stream cuts the dialogue.
                        _ = up.wait_for(|up| !*up) => {}
                    }
                });
            }
        }
    }
}

/// What became of a recipient.
enum Answer {
    Taken,
    Refused,
    Gone,
}

struct Talk<'a> {
    stream: BufReader<TcpStream>,
    shared: &'a Shared,
}

async fn talk(tcp: TcpStream, shared: &Shared) -> io::Result<()> {
    tcp.set_nodelay(true)?;
    *lock(&shared.dialogues) += 1;
    let mut talk = Talk {
        stream: BufReader::new(tcp),
        shared,
    };
    talk.say("220 sink ready").await?;
    let (mut from, mut to) = (String::new(), String::new());
    loop {
        let Some(line) = read_line(&mut talk.stream).await? else {
            return Ok(());
        };
        let verb = line
            .split([' ', ':'])
            .next()
            .unwrap_or_default()
            .to_ascii_uppercase();
        match verb.as_str() {
            "EHLO" => talk.hello().await?,
            "AUTH" => {
                let answer = lock(&shared.login).clone();
                let (code, text) = answer.unwrap_or((235, "2.7.0 in".to_owned()));
                talk.say(&format!("{code} {text}")).await?;
            }
            "MAIL" => {
                let refusal = lock(&shared.mail_reply).clone();
                if refusal.is_none() {
                    from = path(&line);
                }
                talk.say(refusal.as_deref().unwrap_or("250 2.1.0 ok")).await?;
            }
            "RCPT" => {
                if from.is_empty() {
                    talk.say("503 5.5.1 MAIL first").await?;
                    continue;
                }
                let recipient = path(&line);
                match talk.recipient(&recipient).await? {
                    Answer::Taken => to = recipient,
                    Answer::Refused => to.clear(),
                    Answer::Gone => return Ok(()),
                }
            }
            "DATA" if to.is_empty() && !*lock(&shared.careless) => {
                talk.say("554 5.5.1 no valid recipients").await?;
            }
            "DATA" => {
                if !talk.content(&from, &to).await? {
                    return Ok(());
                }
                (from, to) = (String::new(), String::new());
            }
            "RSET" => {
                (from, to) = (String::new(), String::new());
                talk.say("250 2.0.0 ok").await?;
            }
            "QUIT" => return talk.say("221 2.0.0 bye").await,
            _ => talk.say("502 5.5.1 what").await?,
        }
    }
}

impl Talk<'_> {
    async fn say(&mut self, line: &str) -> io::Result<()> {
        self.stream.write_all(format!("{line}\r\n").as_bytes()).await?;
        self.stream.flush().await
    }

    async fn hello(&mut self) -> io::Result<()> {
        let pipelining = *lock(&self.shared.pipelining);
        let lines = if pipelining {
            "250-sink\r\n250-PIPELINING\r\n"
        } else {
            "250-sink\r\n"
        };
        self.say(&format!("{lines}250-AUTH PLAIN LOGIN\r\n250 8BITMIME"))
            .await
    }

    fn is_done(&self, to: &str) -> bool {
        to.starts_with("once") && lock(&self.shared.done).contains(to)
    }

    fn use_up(&self, to: &str) {
        lock(&self.shared.done).insert(to.to_owned());
    }

    async fn recipient(&mut self, to: &str) -> io::Result<Answer> {
        let does = if self.is_done(to) { "ok" } else { behaviour(to) };
        let (reply, answer) = match does {
            "tmp" => ("450 4.2.0 try later", Answer::Refused),
            "perm" => ("550 5.1.1 nobody of that name", Answer::Refused),
            "policy" => ("550 5.7.1 not from you", Answer::Refused),
            "r421" => ("421 4.3.2 going away", Answer::Gone),
            "drop" | "hang" => ("", Answer::Gone),
            _ => return self.say("250 2.1.5 ok").await.map(|()| Answer::Taken),
        };
        self.use_up(to);
        if does == "hang" {
            std::future::pending::<()>().await;
        }
        if !reply.is_empty() {
            self.say(reply).await?;
        }
        Ok(answer)
    }

    /// Takes the content; false ends the dialogue.
    async fn content(&mut self, from: &str, to: &str) -> io::Result<bool> {
        let does = if self.is_done(to) { "ok" } else { behaviour(to) };
        self.say("354 go on").await?;
        let mut data = String::new();
        loop {
            let Some(line) = read_line(&mut self.stream).await? else {
                return Ok(false);
            };
            if does == "dropindata" {
                self.use_up(to);
                return Ok(false);
            }
            if line == "." {
                break;
            }
            data.push_str(line.strip_prefix('.').unwrap_or(&line));
            data.push_str("\r\n");
        }
        self.use_up(to);
        match does {
            "dtmp" => self.say("451 4.3.0 try later").await?,
            "dperm" => self.say("554 5.6.0 not this").await?,
            _ => {
                let message_id = data
                    .lines()
                    .find_map(|l| l.strip_prefix("Message-ID: "))
                    .unwrap_or_default();
                let mail = Received {
                    message_id: message_id.to_owned(),
                    from: from.to_owned(),
                    to: to.to_owned(),
                    data,
                };
                lock(&self.shared.received).push(mail);
                match does {
                    "dropafterdot" => return Ok(false),
                    "hangafterdot" => std::future::pending::<()>().await,
                    "slow" => tokio::time::sleep(Duration::from_millis(200)).await,
                    _ => {}
                }
                self.say("250 2.0.0 kept").await?;
            }
        }
        Ok(true)
    }
}

async fn read_line<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut BufReader<S>,
) -> io::Result<Option<String>> {
    let mut line = Vec::new();
    if stream.read_until(b'\n', &mut line).await? == 0 {
        return Ok(None);
    }
    let line = String::from_utf8_lossy(&line);
    Ok(Some(line.trim_end_matches(['\r', '\n']).to_owned()))
}

/// What stands between the angle brackets.
fn path(line: &str) -> String {
    let inner = line.split_once('<').and_then(|(_, rest)| rest.split_once('>'));
    inner.map(|(path, _)| path.to_owned()).unwrap_or_default()
}

fn behaviour(to: &str) -> &str {
    let to = to.strip_prefix("once").unwrap_or(to);
    to.split(['@', '-', '+', '.']).next().unwrap_or_default()
}
