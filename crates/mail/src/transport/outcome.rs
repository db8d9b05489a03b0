//! What became of a letter at the door, told apart by what is to be done.

use std::fmt;

use crate::status::Status;

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
