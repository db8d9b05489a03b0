//! What a mail server answers.

use std::io;

use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncReadExt};

use crate::transport::Status;

/// Longest line and most lines of a reply; RFC 5321 4.5.3.1.5 has 512 octets a line.
const MAX_LINE: u64 = 2_048;
const MAX_LINES: usize = 128;
/// What is kept of a reply's text, in characters.
const MAX_TEXT: usize = 300;

/// A reply: its code, and the text of each line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Reply {
    pub(super) code: u16,
    pub(super) lines: Vec<String>,
}

impl Reply {
    /// Reads one reply, however many lines it has.
    pub(super) async fn read<R: AsyncBufRead + Unpin>(from: &mut R) -> io::Result<Self> {
        let mut lines = Vec::new();
        loop {
            let mut line = Vec::new();
            (&mut *from).take(MAX_LINE).read_until(b'\n', &mut line).await?;
            if line.is_empty() {
                return Err(io::Error::new(
                    io::ErrorKind::UnexpectedEof,
                    "the server closed the connection",
                ));
            }
            if line.last() != Some(&b'\n') {
                return Err(invalid("a reply's line is cut off or too long"));
            }
            let (code, last, text) = parse_line(&line).ok_or_else(|| invalid("not an SMTP reply"))?;
            lines.push(text);
            if last {
                return Ok(Self { code, lines });
            }
            if lines.len() >= MAX_LINES {
                return Err(invalid("a reply has too many lines"));
            }
        }
    }

    pub(super) fn is_positive(&self) -> bool {
        (200..400).contains(&self.code)
    }

    pub(super) fn is_permanent(&self) -> bool {
        self.code >= 500
    }

    /// 421: the server is going away, whatever was asked.
    pub(super) fn is_closing(&self) -> bool {
        self.code == 421
    }

    /// The enhanced code (RFC 3463), if there is one.
    pub(super) fn status(&self) -> Option<Status> {
        let first = self.lines.first().map_or("", String::as_str);
        Status::parse(first.split(' ').next().unwrap_or_default())
    }

    /// One line for people: the code and the words.
    pub(super) fn text(&self) -> String {
        format!("{} {}", self.code, self.words()).trim_end().to_owned()
    }

    pub(super) fn words(&self) -> String {
        self.lines.join(" ").chars().take(MAX_TEXT).collect()
    }
}

fn parse_line(line: &[u8]) -> Option<(u16, bool, String)> {
    let text = String::from_utf8_lossy(line);
    let text = text.trim_end_matches(['\r', '\n']);
    let code = text.get(..3)?;
    if !code.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let code: u16 = code.parse().ok()?;
    if !(200..600).contains(&code) {
        return None;
    }
    let last = match text.as_bytes().get(3) {
        None | Some(b' ') => true,
        Some(b'-') => false,
        Some(_) => return None,
    };
    let words = text.get(4..).unwrap_or_default();
    Some((code, last, crate::address::without_controls(words)))
}

fn invalid(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn read(text: &str) -> io::Result<Reply> {
        Reply::read(&mut text.as_bytes()).await
    }

    #[tokio::test]
    async fn reads_one_line_and_many() {
        assert_eq!(
            read("250 2.0.0 queued as 7\r\n").await.unwrap().text(),
            "250 2.0.0 queued as 7"
        );
        let ehlo = read("250-mx\r\n250-PIPELINING\r\n250 8BITMIME\r\n")
            .await
            .unwrap();
        assert_eq!(ehlo.lines, ["mx", "PIPELINING", "8BITMIME"]);
        assert_eq!(read("354\r\n").await.unwrap().code, 354);
    }

    #[tokio::test]
    async fn refuses_what_is_no_reply() {
        for bad in [
            "",
            "250",
            "hello\r\n",
            "25x ok\r\n",
            "250_ok\r\n",
            "999 no\r\n",
            "250-never ends\r\n",
        ] {
            assert!(read(bad).await.is_err(), "{bad:?}");
        }
        assert!(read(&format!("250 {}\r\n", "x".repeat(4_000))).await.is_err());
        assert!(read(&"250-x\r\n".repeat(500)).await.is_err());
    }

    #[tokio::test]
    async fn knows_a_policy_refusal() {
        let policy = async |text: &str| read(text).await.unwrap().status().is_some_and(Status::is_policy);
        assert!(policy("550 5.7.1 no\r\n").await);
        assert!(!policy("550 5.1.1 nobody\r\n").await);
        assert!(!policy("550 no\r\n").await);
    }
}
