//! The sink's side of a dialogue.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::time::Instant;

use super::{Received, Shared, Ways, lock};

/// What `slow` and `slowperm` wait.
const SLOW: Duration = Duration::from_millis(200);

trait Wire: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Wire for T {}

/// What became of a recipient.
enum Answer {
    Taken,
    Refused,
    Gone,
}

struct Talk<'a> {
    stream: BufReader<Box<dyn Wire>>,
    shared: &'a Shared,
    ways: Ways,
    encrypted: bool,
}

/// The letter that is being talked about.
#[derive(Default)]
struct Envelope {
    from: String,
    to: String,
    parameters: String,
}

pub(super) async fn serve(tcp: TcpStream, shared: &Shared) -> io::Result<()> {
    tcp.set_nodelay(true)?;
    let ways = lock(&shared.ways).clone();
    let at_once = shared.tls.as_ref().filter(|tls| tls.from_the_start);
    let stream: Box<dyn Wire> = match at_once {
        Some(acceptor) => Box::new(acceptor.tls.accept(tcp).await?),
        None => Box::new(tcp),
    };
    let mut talk = Talk {
        stream: BufReader::new(stream),
        shared,
        ways,
        encrypted: at_once.is_some(),
    };
    match talk.ways.greeting.clone() {
        None => talk.say("220 sink ready").await?,
        Some(line) => return talk.say(&line).await,
    }
    talk.dialogue().await
}

impl Talk<'_> {
    async fn dialogue(mut self) -> io::Result<()> {
        let mut envelope = Envelope::default();
        let mut letters = 0;
        loop {
            let Some(line) = read_line(&mut self.stream).await? else {
                return Ok(());
            };
            // What is set while a connection is open counts from its next command on.
            self.ways = lock(&self.shared.ways).clone();
            let verb = line
                .split([' ', ':'])
                .next()
                .unwrap_or_default()
                .to_ascii_uppercase();
            match verb.as_str() {
                "EHLO" if self.ways.ancient => self.say("502 5.5.1 what?").await?,
                "HELO" => self.say("250 sink").await?,
                "EHLO" => self.hello().await?,
                "STARTTLS" => self = self.start_tls().await?,
                "AUTH" => self.auth(&line).await?,
                "MAIL" if letters >= self.ways.letters => {
                    return self.say("421 4.7.0 enough letters on this connection").await;
                }
                "MAIL" => {
                    let refusal = self.ways.mail_reply.clone();
                    if refusal.is_none() {
                        envelope.from = path(&line);
                        envelope.parameters = line
                            .split_once('>')
                            .map(|(_, rest)| rest.trim().to_owned())
                            .unwrap_or_default();
                    }
                    self.say(refusal.as_deref().unwrap_or("250 2.1.0 ok")).await?;
                }
                "RCPT" if envelope.from.is_empty() => self.say("503 5.5.1 MAIL first").await?,
                "RCPT" => {
                    let recipient = path(&line);
                    match self.recipient(&recipient).await? {
                        Answer::Taken => envelope.to = recipient,
                        Answer::Refused => envelope.to.clear(),
                        Answer::Gone => return Ok(()),
                    }
                }
                "DATA" if envelope.to.is_empty() && !self.ways.careless => {
                    self.say("554 5.5.1 no valid recipients").await?;
                }
                "DATA" => {
                    letters += 1;
                    if !self.content(std::mem::take(&mut envelope)).await? {
                        return Ok(());
                    }
                }
                "RSET" => {
                    envelope = Envelope::default();
                    self.say("250 2.0.0 ok").await?;
                }
                "QUIT" => return self.say("221 2.0.0 bye").await,
                _ => self.say("502 5.5.1 what").await?,
            }
        }
    }

    async fn say(&mut self, line: &str) -> io::Result<()> {
        self.raw(format!("{line}\r\n").as_bytes()).await
    }

    async fn raw(&mut self, bytes: &[u8]) -> io::Result<()> {
        if !self.ways.slow.is_zero() {
            tokio::time::sleep(self.ways.slow).await;
        }
        self.stream.write_all(bytes).await?;
        self.stream.flush().await
    }

    async fn hello(&mut self) -> io::Result<()> {
        let mut offers = self.ways.offers.clone();
        if self.shared.tls.is_some() && !self.encrypted {
            offers.push("STARTTLS".to_owned());
        }
        let mut lines = vec!["sink".to_owned()];
        lines.extend(offers);
        let last = lines.len() - 1;
        let reply: Vec<String> = lines
            .iter()
            .enumerate()
            .map(|(nth, line)| format!("250{}{line}", if nth == last { ' ' } else { '-' }))
            .collect();
        self.say(&reply.join("\r\n")).await
    }

    async fn start_tls(mut self) -> io::Result<Self> {
        let Some(acceptor) = self.shared.tls.as_ref().filter(|_| !self.encrypted) else {
            self.say("502 5.5.1 no TLS here").await?;
            return Ok(self);
        };
        self.say("220 2.0.0 go").await?;
        let tls = acceptor.tls.accept(self.stream.into_inner()).await?;
        Ok(Self {
            stream: BufReader::new(Box::new(tls)),
            encrypted: true,
            ..self
        })
    }

    async fn auth(&mut self, line: &str) -> io::Result<()> {
        let mut said = line.to_owned();
        if line.eq_ignore_ascii_case("AUTH LOGIN") {
            for prompt in ["334 VXNlcm5hbWU6", "334 UGFzc3dvcmQ6"] {
                self.say(prompt).await?;
                let answer = read_line(&mut self.stream).await?.unwrap_or_default();
                said = format!("{said} {answer}");
            }
        }
        lock(&self.shared.logins).push(said.strip_prefix("AUTH ").unwrap_or(&said).to_owned());
        match self.ways.login.clone() {
            Some((code, text)) => self.say(&format!("{code} {text}")).await,
            None => self.say("235 2.7.0 in").await,
        }
    }

    /// What a recipient's name tells to do; `ok` once a `once` is used up.
    fn behaviour<'t>(&self, to: &'t str) -> &'t str {
        let (once, name) = match to.strip_prefix("once") {
            Some(rest) => (true, rest),
            None => (false, to),
        };
        if once && lock(&self.shared.done).contains(to) {
            return "ok";
        }
        name.split(['@', '-', '+', '.']).next().unwrap_or_default()
    }

    fn use_up(&self, to: &str) {
        lock(&self.shared.done).insert(to.to_owned());
    }

    /// Whether a greylisted recipient is put off still.
    fn is_grey(&self, to: &str) -> bool {
        let mut grey = lock(&self.shared.grey);
        let first = *grey.entry(to.to_owned()).or_insert_with(Instant::now);
        first.elapsed() < self.ways.grey
    }

    async fn recipient(&mut self, to: &str) -> io::Result<Answer> {
        let does = self.behaviour(to);
        let (reply, answer): (&[u8], _) = match does {
            "tmp" => (b"450 4.2.0 try later\r\n", Answer::Refused),
            "grey" if self.is_grey(to) => (b"450 4.7.1 greylisted, try later\r\n", Answer::Refused),
            "perm" => (b"550 5.1.1 nobody of that name\r\n", Answer::Refused),
            "full" => (b"552 5.2.2 the mailbox is full\r\n", Answer::Refused),
            "policy" => (b"550 5.7.1 not from you\r\n", Answer::Refused),
            "garbage" => (b"\x00\xff\xfe what?\r\n", Answer::Refused),
            "halfline" => (b"250 2.1", Answer::Gone),
            "r421" => (b"421 4.3.2 going away\r\n", Answer::Gone),
            "drop" | "hang" => (b"", Answer::Gone),
            _ => return self.say("250 2.1.5 ok").await.map(|()| Answer::Taken),
        };
        self.use_up(to);
        if does == "hang" {
            std::future::pending::<()>().await;
        }
        self.raw(reply).await?;
        Ok(answer)
    }

    /// Takes the content; false ends the dialogue.
    async fn content(&mut self, envelope: Envelope) -> io::Result<bool> {
        let to = envelope.to.clone();
        let does = self.behaviour(&to);
        self.say("354 go on").await?;
        let mut data = String::new();
        loop {
            let Some(line) = read_line(&mut self.stream).await? else {
                return Ok(false);
            };
            if does == "dropindata" {
                self.use_up(&to);
                return Ok(false);
            }
            if line == "." {
                break;
            }
            data.push_str(line.strip_prefix('.').unwrap_or(&line));
            data.push_str("\r\n");
        }
        self.use_up(&to);
        match does {
            "dtmp" => self.say("451 4.3.0 try later").await?,
            "dperm" => self.say("554 5.6.0 not this").await?,
            "r421afterdot" => {
                self.say("421 4.3.0 going away").await?;
                return Ok(false);
            }
            "slowperm" => {
                tokio::time::sleep(SLOW).await;
                self.say("554 5.6.0 not this").await?;
            }
            _ => {
                self.keep(envelope, data);
                match does {
                    "dropafterdot" => return Ok(false),
                    "hangafterdot" => std::future::pending::<()>().await,
                    "garbageafterdot" => {
                        self.raw(b"\x00\xff\xfe what?\r\n").await?;
                        return Ok(false);
                    }
                    "slow" => tokio::time::sleep(SLOW).await,
                    _ => {}
                }
                self.say("250 2.0.0 kept").await?;
            }
        }
        Ok(true)
    }

    fn keep(&self, envelope: Envelope, data: String) {
        let mut lines = data.lines();
        let message_id = lines
            .find_map(|line| line.strip_prefix("Message-ID: "))
            .unwrap_or_default();
        lock(&self.shared.received).push(Received {
            message_id: message_id.to_owned(),
            from: envelope.from,
            to: envelope.to,
            parameters: envelope.parameters,
            data,
        });
    }
}

async fn read_line<S: AsyncRead + Unpin>(stream: &mut BufReader<S>) -> io::Result<Option<String>> {
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
