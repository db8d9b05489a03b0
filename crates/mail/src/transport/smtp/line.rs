//! One line to a mail server: commands out, replies in, each in its time.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use tokio::io::{AsyncBufRead, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::time::timeout;

use super::reply::Reply;
use super::spec::Timeouts;
use crate::transport::{Phase, SendError};

/// What is written in one go (RFC 5321 4.5.3.2.5 has a time limit for each block).
const BLOCK: usize = 64 * 1024;
/// How long the rest of a reply that has begun may take, when nobody asked for it.
const EARLY: Duration = Duration::from_secs(1);

/// What the server said it can do.
#[derive(Debug, Default, Clone)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a word that a server says or does not say"
)]
pub(super) struct Offers {
    pub(super) pipelining: bool,
    pub(super) start_tls: bool,
    pub(super) utf8: bool,
    pub(super) eight_bit: bool,
    /// The largest message in octets; 0 if the server says that there is SIZE and no limit.
    pub(super) size: Option<u64>,
    // The mechanisms of AUTH, upper case.
    auth: Vec<String>,
}

impl Offers {
    pub(super) fn takes(&self, mechanism: &str) -> bool {
        self.auth.iter().any(|offered| offered == mechanism)
    }
}

/// Reads replies and writes commands, each in its time.
pub(super) struct Line<S> {
    pub(super) stream: BufReader<S>,
    // A reply did not come, or was 421: nothing more is to be said.
    pub(super) broken: bool,
}

/// What a step of the dialogue gave: a reply, or what broke.
pub(super) type Step = Result<Reply, io::Error>;

impl<S: AsyncRead + AsyncWrite + Unpin> Line<S> {
    pub(super) fn new(stream: S) -> Self {
        Self {
            stream: BufReader::new(stream),
            broken: false,
        }
    }

    pub(super) async fn greeting(&mut self, limits: &Timeouts) -> Result<(), SendError> {
        let reply = self
            .reply(limits.greeting)
            .await
            .map_err(server(Phase::Greeting))?;
        if reply.is_positive() {
            Ok(())
        } else {
            Err(SendError::Server {
                phase: Phase::Greeting,
                detail: reply.text(),
            })
        }
    }

    pub(super) async fn hello(&mut self, name: &str, limits: &Timeouts) -> Result<Offers, SendError> {
        let reply = self
            .say(&format!("EHLO {name}\r\n"), limits.hello)
            .await
            .map_err(server(Phase::Hello))?;
        if matches!(reply.code, 500 | 501 | 502 | 504) {
            // It knows no extensions and need not (RFC 5321 3.2): whether that will do is for `tls` and the letter.
            let hello = format!("HELO {name}\r\n");
            self.expect_positive(&hello, Phase::Hello, limits.hello).await?;
            return Ok(Offers::default());
        }
        if !reply.is_positive() {
            return Err(SendError::Server {
                phase: Phase::Hello,
                detail: reply.text(),
            });
        }
        let mut offers = Offers::default();
        for line in reply.lines.iter().skip(1) {
            let line = line.to_ascii_uppercase();
            let mut words = line.split([' ', '=']);
            match words.next() {
                Some("PIPELINING") => offers.pipelining = true,
                Some("STARTTLS") => offers.start_tls = true,
                Some("SMTPUTF8") => offers.utf8 = true,
                Some("8BITMIME") => offers.eight_bit = true,
                Some("SIZE") => offers.size = Some(words.next().and_then(|n| n.parse().ok()).unwrap_or(0)),
                Some("AUTH") => offers.auth.extend(words.map(str::to_owned)),
                _ => {}
            }
        }
        Ok(offers)
    }

    pub(super) async fn expect_positive(
        &mut self,
        command: &str,
        phase: Phase,
        limit: Duration,
    ) -> Result<Reply, SendError> {
        let reply = self.say(command, limit).await.map_err(server(phase))?;
        if reply.is_positive() {
            Ok(reply)
        } else {
            Err(SendError::Server {
                phase,
                detail: reply.text(),
            })
        }
    }

    pub(super) async fn say(&mut self, command: &str, limit: Duration) -> Step {
        self.write(command, limit).await?;
        self.reply(limit).await
    }

    pub(super) async fn reply(&mut self, limit: Duration) -> Step {
        let reply = within(limit, Reply::read(&mut self.stream)).await;
        self.broken |= reply.as_ref().map_or(true, Reply::is_closing);
        reply
    }

    /// What the server has said though nothing was asked, or that it has hung up.
    pub(super) async fn early(&mut self) -> Option<Step> {
        let waiting = poll_fn(|cx| {
            let filled = Pin::new(&mut self.stream).poll_fill_buf(cx);
            Poll::Ready(match filled {
                Poll::Ready(filled) => Some(filled.map(<[u8]>::is_empty)),
                Poll::Pending => None,
            })
        });
        let waiting = waiting.await?;
        // Whatever it was, the dialogue is out of step.
        let said = match waiting {
            Ok(false) => self.reply(EARLY).await,
            Ok(true) => Err(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                "the server closed the connection",
            )),
            Err(error) => Err(error),
        };
        self.broken = true;
        Some(said)
    }

    pub(super) async fn write(&mut self, text: &str, limit: Duration) -> io::Result<()> {
        self.write_bytes(text.as_bytes(), limit).await
    }

    /// Writes, each block in its time: a long letter on a slow line is not cut off while it moves.
    pub(super) async fn write_bytes(&mut self, bytes: &[u8], limit: Duration) -> io::Result<()> {
        for block in bytes.chunks(BLOCK) {
            let written = within(limit, self.stream.write_all(block)).await;
            self.broken |= written.is_err();
            written?;
        }
        let flushed = within(limit, self.stream.flush()).await;
        self.broken |= flushed.is_err();
        flushed
    }
}

pub(super) async fn within<T>(limit: Duration, work: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    match timeout(limit, work).await {
        Ok(outcome) => outcome,
        Err(_) => Err(io::Error::new(
            io::ErrorKind::TimedOut,
            format!("no answer within {} s", limit.as_secs_f32()),
        )),
    }
}

pub(super) fn server(phase: Phase) -> impl FnOnce(io::Error) -> SendError {
    move |error| SendError::Server {
        phase,
        detail: words(&error),
    }
}

pub(super) fn words(error: &io::Error) -> String {
    error.to_string()
}

/// The content as it goes over the line: every line ends with CRLF and none begins with a lone dot
/// (RFC 5321 4.5.2). A bare CR or LF would let content end the letter on some servers.
pub(super) fn transparent(message: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(message.len() + 64);
    let mut rest = message;
    while !rest.is_empty() {
        let end = memchr::memchr2(b'\r', b'\n', rest).unwrap_or(rest.len());
        let (line, after) = rest.split_at(end);
        if line.first() == Some(&b'.') {
            out.push(b'.');
        }
        out.extend_from_slice(line);
        out.extend_from_slice(b"\r\n");
        rest = match after {
            [b'\r', b'\n', rest @ ..] | [_, rest @ ..] => rest,
            [] => after,
        };
    }
    out
}

#[cfg(test)]
mod tests {
    use super::transparent;

    #[test]
    fn content_cannot_end_the_letter() {
        assert_eq!(transparent(b"a\r\n.\r\nb"), b"a\r\n..\r\nb\r\n");
        assert_eq!(transparent(b"a\n.\nb\r\r.c"), b"a\r\n..\r\nb\r\n\r\n..c\r\n");
        assert_eq!(transparent(b".\r\n"), b"..\r\n");
        assert_eq!(transparent(b"\r\n\n..\r"), b"\r\n\r\n...\r\n");
        assert_eq!(transparent(b"a\n\r\nb."), b"a\r\n\r\nb.\r\n");
        assert_eq!(transparent(b""), b"");
    }
}
