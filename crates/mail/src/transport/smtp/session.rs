//! One connection to a mail server and the dialogue on it (RFC 5321, PIPELINING: RFC 2920).

use std::fmt;
use std::io;
use std::path::Path;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

use super::line::{Line, Offers, Step, server, transparent, within, words};
use super::login::log_in;
use super::reply::Reply;
use super::spec::{SmtpSpec, Timeouts, TlsMode};
use super::tls::Connector;
use crate::EmailAddress;
use crate::transport::{Accepted, Phase, SendError, Status};

/// How long a goodbye may take; nothing depends on it.
const QUIT: Duration = Duration::from_secs(2);

trait Wire: AsyncRead + AsyncWrite + Send + Sync + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Sync + Unpin> Wire for T {}

/// What is offered: a message, from and to one address.
#[derive(Clone, Copy)]
pub(super) struct Letter<'a> {
    pub(super) from: &'a EmailAddress,
    pub(super) to: &'a EmailAddress,
    pub(super) message: &'a [u8],
}

/// An open connection, logged in and ready for `MAIL`.
pub(super) struct Session {
    line: Line<Box<dyn Wire>>,
    offers: Offers,
    // False from the first byte of a dialogue to its clean end.
    clean: bool,
}

impl Session {
    /// Connects, encrypts as asked and logs in. Every failure here is the server's fault.
    pub(super) async fn open(
        spec: &SmtpSpec,
        tls: Option<&Connector>,
        token_file: Option<&Path>,
    ) -> Result<Self, SendError> {
        let limits = &spec.timeouts;
        let connect = TcpStream::connect((spec.host.as_str(), spec.port));
        let tcp = within(limits.connect, connect)
            .await
            .map_err(server(Phase::Connect))?;
        // Without this each small command waits some 40 ms for the answer to the one before.
        tcp.set_nodelay(true).map_err(server(Phase::Connect))?;
        let hello = match &spec.hello {
            Some(name) => name.clone(),
            None => literal(tcp.local_addr().map_err(server(Phase::Connect))?.ip()),
        };

        if let (TlsMode::Implicit, Some(tls)) = (spec.tls, tls) {
            let stream = within(limits.hello, tls.connect(tcp))
                .await
                .map_err(server(Phase::Tls))?;
            let mut line = Line::new(Box::new(stream) as Box<dyn Wire>);
            line.greeting(limits).await?;
            let offers = line.hello(&hello, limits).await?;
            return Self::log_in(line, offers, spec, token_file, true).await;
        }

        let mut line = Line::new(tcp);
        line.greeting(limits).await?;
        let offers = line.hello(&hello, limits).await?;
        let wanted = matches!(spec.tls, TlsMode::Required | TlsMode::Opportunistic);
        let (true, true, Some(tls)) = (wanted, offers.start_tls, tls) else {
            if spec.tls == TlsMode::Required {
                let detail = "the server offers no STARTTLS and tls=required".to_owned();
                return Err(SendError::Server {
                    phase: Phase::Tls,
                    detail,
                });
            }
            let line = Line::new(Box::new(line.stream.into_inner()) as Box<dyn Wire>);
            return Self::log_in(line, offers, spec, token_file, false).await;
        };
        line.expect_positive("STARTTLS\r\n", Phase::Tls, limits.hello)
            .await?;
        if !line.stream.buffer().is_empty() {
            // Said in the clear, it would be taken for something said under TLS (CVE-2011-0411).
            let detail = "the server spoke on after STARTTLS".to_owned();
            return Err(SendError::Server {
                phase: Phase::Tls,
                detail,
            });
        }
        let tcp = line.stream.into_inner();
        let stream = within(limits.hello, tls.connect(tcp))
            .await
            .map_err(server(Phase::Tls))?;
        let mut line = Line::new(Box::new(stream) as Box<dyn Wire>);
        let offers = line.hello(&hello, limits).await?;
        Self::log_in(line, offers, spec, token_file, true).await
    }

    async fn log_in(
        mut line: Line<Box<dyn Wire>>,
        offers: Offers,
        spec: &SmtpSpec,
        token_file: Option<&Path>,
        encrypted: bool,
    ) -> Result<Self, SendError> {
        log_in(&mut line, &offers, spec, token_file, encrypted).await?;
        Ok(Self {
            line,
            offers,
            clean: true,
        })
    }

    /// Whether the connection can take another letter.
    pub(super) fn is_clean(&self) -> bool {
        self.clean
    }

    /// Offers one letter to one recipient.
    ///
    /// `before_dot` is taken out when it is asked.
    pub(super) async fn deliver<F>(
        &mut self,
        limits: &Timeouts,
        letter: &Letter<'_>,
        before_dot: &mut Option<F>,
    ) -> Result<Accepted, SendError>
    where
        F: AsyncFnOnce() -> bool,
    {
        let parameters = self.parameters(letter)?;
        let (to, message) = (letter.to, letter.message);
        self.clean = false;
        let mail = format!("MAIL FROM:<{}>{parameters}\r\n", letter.from);
        let rcpt = format!("RCPT TO:<{to}>\r\n");

        let data = if self.offers.pipelining {
            self.line
                .write(&format!("{mail}{rcpt}DATA\r\n"), limits.command)
                .await
                .map_err(server(Phase::MailFrom))?;
            let mail = self.line.reply(limits.command).await;
            judge_mail(mail)?;
            let rcpt = self.line.reply(limits.command).await;
            let refused = judge(rcpt, Phase::RcptTo).err();
            let data = self.line.reply(limits.data).await;
            if let Some(error) = refused {
                // To a DATA that it should not have taken the server now waits for content. An
                // empty letter is not to be risked: without a clean end the connection is closed.
                if data.is_ok_and(|reply| reply.code != 354) {
                    self.reset(limits).await;
                }
                return Err(error);
            }
            data
        } else {
            self.line
                .write(&mail, limits.command)
                .await
                .map_err(server(Phase::MailFrom))?;
            let mail = self.line.reply(limits.command).await;
            if let Err(error) = judge_mail(mail) {
                self.reset(limits).await;
                return Err(error);
            }
            let rcpt = self.line.say(&rcpt, limits.command).await;
            if let Err(error) = judge(rcpt, Phase::RcptTo) {
                self.reset(limits).await;
                return Err(error);
            }
            self.line.say("DATA\r\n", limits.data).await
        };
        match data {
            Ok(reply) if reply.code == 354 => {}
            Ok(reply) => {
                self.reset(limits).await;
                return Err(not_taken(Phase::Data, &reply));
            }
            Err(error) => return Err(broke(Phase::Data, &error)),
        }
        self.content(limits, message, before_dot).await
    }

    /// What is said after the sender's address; or that the server does not offer what the letter needs.
    fn parameters(&self, letter: &Letter<'_>) -> Result<String, SendError> {
        let cannot = |status: Status, why: &str| SendError::Refused {
            phase: Phase::MailFrom,
            code: 0,
            status: Some(status),
            reply: format!("{status} {why}"),
        };
        let status = |subject, detail| Status {
            class: 5,
            subject,
            detail,
        };
        let size = u64::try_from(letter.message.len()).unwrap_or(u64::MAX);
        let mut parameters = String::new();
        if let Some(most) = self.offers.size {
            if most > 0 && size > most {
                let why = format!("the letter has {size} octets and the server takes {most} (SIZE)");
                return Err(cannot(status(3, 4), &why));
            }
            parameters = format!(" SIZE={size}");
        }
        let plain = letter.from.as_str().is_ascii() && letter.to.as_str().is_ascii();
        if plain && letter.message.is_ascii() {
            return Ok(parameters);
        }
        let utf8 = !plain || !header(letter.message).is_ascii();
        if utf8 && !self.offers.utf8 {
            let why = "the server takes no address with such letters before the @ (SMTPUTF8)";
            return Err(cannot(status(6, 7), why));
        }
        if !letter.message.is_ascii() && !self.offers.eight_bit && !utf8 {
            return Err(cannot(
                status(6, 3),
                "the server takes no 8-bit content (8BITMIME)",
            ));
        }
        if utf8 {
            parameters.push_str(" SMTPUTF8");
        }
        // RFC 6531 3.1: whoever offers SMTPUTF8 offers 8BITMIME.
        parameters.push_str(" BODY=8BITMIME");
        Ok(parameters)
    }

    async fn content<F>(
        &mut self,
        limits: &Timeouts,
        message: &[u8],
        before_dot: &mut Option<F>,
    ) -> Result<Accepted, SendError>
    where
        F: AsyncFnOnce() -> bool,
    {
        let body = transparent(message);
        let put_off = |error: io::Error| broke(Phase::Data, &error);
        self.line
            .write_bytes(&body, limits.block)
            .await
            .map_err(put_off)?;
        let may_go = match before_dot.take() {
            Some(ask) => ask().await,
            None => false,
        };
        if !may_go {
            return Err(SendError::HeldBack);
        }
        if let Some(early) = self.line.early().await {
            // It hung up, or spoke, before it had the dot: the letter was not taken.
            return Err(match early {
                Ok(reply) => not_taken(Phase::Data, &reply),
                Err(error) => broke(Phase::Data, &error),
            });
        }
        let unanswered = |error: &io::Error| SendError::Unanswered { detail: words(error) };
        self.line
            .write(".\r\n", limits.block)
            .await
            .map_err(|error| unanswered(&error))?;
        #[cfg(feature = "queue")]
        gatepost_storage::fault::hit("mail.dot_sent");
        let reply = self
            .line
            .reply(limits.dot)
            .await
            .map_err(|error| unanswered(&error))?;
        if reply.code / 100 == 2 {
            self.clean = true;
            return Ok(Accepted {
                code: reply.code,
                text: reply.words(),
            });
        }
        let error = not_taken(Phase::Dot, &reply);
        // The transaction is over with any reply to the dot.
        self.clean = !self.line.broken;
        Err(error)
    }

    /// Ends a refused letter so that the connection can take the next.
    async fn reset(&mut self, limits: &Timeouts) {
        if self.line.broken {
            return;
        }
        let reply = self.line.say("RSET\r\n", limits.command).await;
        self.clean = reply.is_ok_and(|reply| reply.is_positive());
    }

    /// Says goodbye.
    pub(super) async fn quit(mut self) {
        // What it answers changes nothing: the connection is closed next.
        let _ = self.line.say("QUIT\r\n", QUIT).await;
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("offers", &self.offers)
            .field("clean", &self.clean)
            .finish_non_exhaustive()
    }
}

/// The reply to `MAIL`: whatever is wrong there is about us and the server, not about a reader; but for a
/// letter that is too big.
fn judge_mail(step: Step) -> Result<(), SendError> {
    let fault = |detail| SendError::Server {
        phase: Phase::MailFrom,
        detail,
    };
    match step {
        Ok(reply) if reply.is_positive() => Ok(()),
        Ok(reply) if reply.code == 552 => Err(not_taken(Phase::MailFrom, &reply)),
        Ok(reply) => Err(fault(reply.text())),
        Err(error) => Err(fault(words(&error))),
    }
}

/// The reply to `RCPT`: 5xx is for good, 4xx or a broken connection for later, 421 about the server.
fn judge(step: Step, phase: Phase) -> Result<(), SendError> {
    match step {
        Ok(reply) if reply.is_positive() => Ok(()),
        Ok(reply) => Err(not_taken(phase, &reply)),
        Err(error) => Err(broke(phase, &error)),
    }
}

fn not_taken(phase: Phase, reply: &Reply) -> SendError {
    let (code, status, text) = (reply.code, reply.status(), reply.text());
    // 421: it is going away. 500, 502, 503: it does not follow the dialogue, whatever the letter says.
    if reply.is_closing() || matches!(code, 500 | 502 | 503) {
        return SendError::Server { phase, detail: text };
    }
    if reply.is_permanent() {
        return SendError::Refused {
            phase,
            code,
            status,
            reply: text,
        };
    }
    SendError::Deferred {
        phase,
        code,
        detail: text,
    }
}

fn broke(phase: Phase, error: &io::Error) -> SendError {
    SendError::Deferred {
        phase,
        code: 0,
        detail: words(error),
    }
}

/// The header of a message.
fn header(message: &[u8]) -> &[u8] {
    let end = message.windows(4).position(|end| end == b"\r\n\r\n");
    &message[..end.unwrap_or(message.len())]
}

/// The address of our end as `EHLO` wants it (RFC 5321 4.1.3).
fn literal(ip: std::net::IpAddr) -> String {
    match ip {
        std::net::IpAddr::V4(ip) => format!("[{ip}]"),
        std::net::IpAddr::V6(ip) => format!("[IPv6:{ip}]"),
    }
}
