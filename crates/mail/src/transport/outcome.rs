//! What became of a letter at the door, told apart by what is to be done.

use std::fmt;

/// The server took the letter and answers for it from here on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted {
    /// The reply's code; 250 from SMTP servers.
    pub code: u16,
    /// The reply's text, often with the server's own id of the letter.
    pub text: String,
}

/// How far the dialogue had come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Phase {
    /// Name, address and TCP.
    Connect,
    /// The server's first words.
    Greeting,
    /// `EHLO`.
    Hello,
    /// TLS, by `STARTTLS` or from the start.
    Tls,
    /// `AUTH`.
    Auth,
    /// `MAIL FROM`.
    MailFrom,
    /// `RCPT TO`.
    RcptTo,
    /// `DATA` and the content, up to its final dot.
    Data,
    /// After the final dot.
    Dot,
    /// Writing a file or a row.
    Store,
}

/// An enhanced status code (RFC 3463), such as 5.1.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Status {
    /// 2 taken, 4 for now, 5 for good.
    pub class: u8,
    /// What it is about: 1 address, 2 mailbox, 3 system, 4 routing, 5 protocol, 6 content, 7 policy.
    pub subject: u16,
    /// More closely.
    pub detail: u16,
}

impl Status {
    /// Reads `5.7.1`.
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('.');
        let class = parts.next().filter(|class| matches!(*class, "2" | "4" | "5"))?;
        let mut number = || {
            let part = parts.next()?;
            let short = (1..=3).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit());
            part.parse().ok().filter(|_| short)
        };
        let (subject, detail) = (number()?, number()?);
        let class = class.parse().ok()?;
        parts.next().is_none().then_some(Self {
            class,
            subject,
            detail,
        })
    }

    /// x.7.x: about security or policy, which for many letters in a row means us, not their readers.
    pub fn is_policy(&self) -> bool {
        self.subject == 7
    }

    /// 5.1.x about the recipient: there is no such mailbox or domain. (5.1.7 and 5.1.8 are about the sender.)
    pub fn names_no_mailbox(&self) -> bool {
        self.class == 5 && self.subject == 1 && !matches!(self.detail, 7 | 8)
    }

    /// x.2.2: the mailbox is full, which passes.
    pub fn is_mailbox_full(&self) -> bool {
        self.subject == 2 && self.detail == 2
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.class, self.subject, self.detail)
    }
}

/// Why a letter was not (or perhaps not) taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SendError {
    /// This letter will never be taken: 5xx to its recipient or to its content.
    #[error("refused at {phase}: {reply}")]
    Refused {
        /// Where.
        phase: Phase,
        /// The reply's code; 0 if the server was not asked, because it does not offer what the letter needs.
        code: u16,
        /// The enhanced code, if the server gives any.
        status: Option<Status>,
        /// The server's code and words.
        reply: String,
    },
    /// Not now: 4xx, a timeout or a broken connection while the letter itself was being talked about.
    #[error("put off at {phase}: {detail}")]
    Deferred {
        /// Where.
        phase: Phase,
        /// The reply's code; 0 if none came.
        code: u16,
        /// The server's code and words, or what broke.
        detail: String,
    },
    /// The server's fault, whatever the letter: connecting, TLS, `AUTH`, 421, `MAIL`. Uses up no attempt.
    #[error("the mail server failed at {phase}: {detail}")]
    Server {
        /// Where.
        phase: Phase,
        /// What broke.
        detail: String,
    },
    /// The final dot was sent and no answer came: the letter may have been taken (RFC 1047).
    #[error("no answer after the final dot: {detail}")]
    Unanswered {
        /// What broke.
        detail: String,
    },
    /// The caller held the final dot back; nothing was taken.
    #[error("held back before the final dot")]
    HeldBack,
}

impl SendError {
    /// Whether the same letter may pass later.
    pub fn is_transient(&self) -> bool {
        !matches!(self, Self::Refused { .. })
    }

    /// Whether the server says that there is no such mailbox (5.1.x): nothing should be sent there again.
    pub fn names_no_mailbox(&self) -> bool {
        matches!(self, Self::Refused { status: Some(status), .. } if status.names_no_mailbox())
    }
}

/// Why a transport cannot be made from what was configured.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TransportError {
    /// Neither `capture`, `file:DIR`, `smtp://` nor `smtps://`, or a part of it makes no sense.
    #[error("mail.transport: {0}")]
    Spec(String),
    /// The folder or the certificate file cannot be used.
    #[error("mail.transport: {what}")]
    File {
        /// Which.
        what: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The certificates cannot be used for TLS.
    #[error("mail.transport: no usable certificates to check servers with: {0}")]
    Certificates(String),
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Connect => "connect",
            Self::Greeting => "greeting",
            Self::Hello => "EHLO",
            Self::Tls => "TLS",
            Self::Auth => "AUTH",
            Self::MailFrom => "MAIL FROM",
            Self::RcptTo => "RCPT TO",
            Self::Data => "DATA",
            Self::Dot => "the final dot",
            Self::Store => "writing",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_enhanced_codes_and_nothing_else() {
        let status = Status::parse("5.7.26").unwrap();
        assert!(status.is_policy() && status.to_string() == "5.7.26");
        assert!(Status::parse("5.1.1").unwrap().names_no_mailbox());
        assert!(!Status::parse("5.1.8").unwrap().names_no_mailbox());
        assert!(Status::parse("4.2.2").unwrap().is_mailbox_full());
        for bad in [
            "", "5", "5.1", "5.1.1.1", "3.1.1", "5.1.x", "5..1", "5.1.1111", "5.+1.1", "no",
        ] {
            assert_eq!(Status::parse(bad), None, "{bad}");
        }
    }
}
