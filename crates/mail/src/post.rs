//! From a rendered letter to the bytes that a mail server is given.

use std::time::{Duration, SystemTime};

use lettre::message::header::{ContentType, HeaderName, HeaderValue};
use lettre::message::{Attachment as Part, Mailbox, Message, MultiPart, SinglePart};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::address::without_controls;
use crate::{EmailAddress, Sender};

/// Longest subject in characters; the rest is cut. A line may have 998 octets (RFC 5322 2.1.1).
const MAX_SUBJECT: usize = 200;

/// A letter with everything in it, ready to become a message.
#[derive(Debug, Clone)]
pub struct Post<'a> {
    /// Becomes `Message-ID: <id@domain of the sender>`, the same on every attempt.
    pub message_id: Uuid,
    /// Who it is from, in the header and in the envelope.
    pub from: &'a Sender,
    /// The header `To`.
    pub to: &'a [EmailAddress],
    /// The header `Cc`.
    pub cc: &'a [EmailAddress],
    /// Where answers go, if not to the sender.
    pub reply_to: Option<&'a EmailAddress>,
    /// Cut to 200 characters; control characters become spaces.
    pub subject: &'a str,
    /// The plain part. Not optional: some people read nothing else.
    pub text: &'a str,
    /// The HTML part.
    pub html: Option<&'a str>,
    /// The header `Date`, in microseconds since the epoch.
    pub date: i64,
    /// The caller's headers; see [`header_is_allowed`].
    pub headers: &'a [(String, String)],
    /// Files, or pictures that the HTML part shows.
    pub attachments: &'a [Attachment],
}

/// A file that goes with a letter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attachment {
    /// What the reader sees it called.
    pub name: String,
    /// Its media type, such as `image/png`.
    #[serde(rename = "type")]
    pub content_type: String,
    /// The content, base64 on the wire.
    #[serde(with = "base64_text")]
    pub base64: Vec<u8>,
    /// With this, it is shown where the HTML says `cid:...` instead of being listed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cid: Option<String>,
}

/// Why a message cannot be built.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PostError {
    /// A header that callers may not set.
    #[error("the header {0} may not be set: X-*, List-*, References and In-Reply-To may")]
    Header(String),
    /// An attachment's type that is no media type.
    #[error("{0:?} is no media type")]
    MediaType(String),
    /// The message builder refused it.
    #[error("the message cannot be built")]
    Build(#[source] lettre::error::Error),
}

impl Post<'_> {
    /// The message's id as it stands in the header.
    pub fn message_id_header(message_id: Uuid, from: &Sender) -> String {
        format!("<{message_id}@{}>", from.address.domain())
    }

    /// The whole message, headers and body, lines ended by CRLF.
    ///
    /// The same letter gives the same bytes: the parts' boundaries come from the id.
    pub fn build(&self) -> Result<Vec<u8>, PostError> {
        let date = u64::try_from(self.date).unwrap_or_default();
        let mut builder = Message::builder()
            .from(mailbox(self.from.name.as_deref(), &self.from.address))
            .date(SystemTime::UNIX_EPOCH + Duration::from_micros(date))
            .message_id(Some(Self::message_id_header(self.message_id, self.from)))
            .subject(subject(self.subject));
        for to in self.to {
            builder = builder.to(mailbox(None, to));
        }
        for cc in self.cc {
            builder = builder.cc(mailbox(None, cc));
        }
        if let Some(reply_to) = self.reply_to {
            builder = builder.reply_to(mailbox(None, reply_to));
        }
        for (name, value) in self.headers {
            if !header_is_allowed(name) {
                return Err(PostError::Header(without_controls(name)));
            }
            builder = builder.raw_header(raw(name, value)?);
        }
        // RFC 3834 5: nobody's holiday notice should answer a machine; the second is Exchange's own word for it.
        builder = builder
            .raw_header(raw("Auto-Submitted", "auto-generated")?)
            .raw_header(raw("X-Auto-Response-Suppress", "All")?);
        let message = match self.body()? {
            Body::Single(part) => builder.singlepart(part),
            Body::Multi(part) => builder.multipart(part),
        };
        Ok(message.map_err(PostError::Build)?.formatted())
    }

    fn body(&self) -> Result<Body, PostError> {
        let text = SinglePart::plain(clean_body(self.text));
        let words = match self.html {
            None => Body::Single(text),
            Some(html) => {
                let html = SinglePart::html(clean_body(html));
                let shown: Vec<SinglePart> = self.parts(true)?;
                let alternative = MultiPart::alternative()
                    .boundary(self.boundary("alt"))
                    .singlepart(text);
                Body::Multi(if shown.is_empty() {
                    alternative.singlepart(html)
                } else {
                    let related = MultiPart::related()
                        .boundary(self.boundary("rel"))
                        .singlepart(html);
                    alternative.multipart(shown.into_iter().fold(related, MultiPart::singlepart))
                })
            }
        };
        let files = self.parts(false)?;
        if files.is_empty() {
            return Ok(words);
        }
        let mixed = MultiPart::mixed().boundary(self.boundary("mix"));
        let mixed = match words {
            Body::Single(part) => mixed.singlepart(part),
            Body::Multi(part) => mixed.multipart(part),
        };
        Ok(Body::Multi(files.into_iter().fold(mixed, MultiPart::singlepart)))
    }

    /// The attachments that are shown in the HTML, or the ones that are listed.
    fn parts(&self, shown: bool) -> Result<Vec<SinglePart>, PostError> {
        let wanted = self
            .attachments
            .iter()
            .filter(|a| (a.cid.is_some() && self.html.is_some()) == shown);
        wanted.map(Attachment::part).collect()
    }

    fn boundary(&self, part: &str) -> String {
        format!("gp-{part}-{}", self.message_id.simple())
    }
}

enum Body {
    Single(SinglePart),
    Multi(MultiPart),
}

impl Attachment {
    /// Whether its type reads as one.
    pub(crate) fn is_media_type(&self) -> bool {
        ContentType::parse(&self.content_type).is_ok()
    }

    fn part(&self) -> Result<SinglePart, PostError> {
        let media_type = ContentType::parse(&self.content_type)
            .map_err(|_| PostError::MediaType(self.content_type.clone()))?;
        let name = without_controls(&self.name);
        let part = match &self.cid {
            Some(cid) => {
                let cid: String = cid
                    .chars()
                    .filter(|c| c.is_ascii_graphic() && !"<>\"".contains(*c))
                    .collect();
                Part::new_inline_with_name(cid, name)
            }
            None => Part::new(name),
        };
        Ok(part.body(self.base64.clone(), media_type))
    }
}

/// Whether a caller may set this header: `X-*`, `List-*`, `References`, `In-Reply-To`.
///
/// Everything else would let a caller change who it is from, where it goes or how it is read.
pub fn header_is_allowed(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let token = name.len() <= 64 && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    let after = |prefix| {
        name.strip_prefix(prefix)
            .is_some_and(|rest: &str| !rest.is_empty())
    };
    token && (after("x-") || after("list-") || name == "references" || name == "in-reply-to")
}

fn raw(name: &str, value: &str) -> Result<HeaderValue, PostError> {
    let header =
        HeaderName::new_from_ascii(name.to_owned()).map_err(|_| PostError::Header(without_controls(name)))?;
    Ok(HeaderValue::new(
        header,
        without_controls(value).trim().to_owned(),
    ))
}

/// The builder panics at a control character in a display name, so none gets there.
fn mailbox(name: Option<&str>, address: &EmailAddress) -> Mailbox {
    // `EmailAddress` holds only what the builder's own parser took.
    let address = lettre::Address::new_dangerous(address.local(), address.domain());
    Mailbox::new(name.map(without_controls), address)
}

fn subject(text: &str) -> String {
    let clean = without_controls(text);
    let words: Vec<&str> = clean.split_whitespace().collect();
    words.join(" ").chars().take(MAX_SUBJECT).collect()
}

/// One kind of line end and no control characters: a bare CR or LF is how one letter is smuggled
/// into another's dialogue.
fn clean_body(text: &str) -> String {
    // 0xC2 begins the control characters above ASCII, and harmless ones. Most letters have none of them.
    let suspect = |byte: u8| byte == 0xC2 || byte.is_ascii_control() && byte != b'\n' && byte != b'\t';
    if !text.bytes().any(suspect) {
        return text.to_owned();
    }
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    text.chars()
        .filter(|c| !c.is_control() || matches!(c, '\n' | '\t'))
        .collect()
}

mod base64_text {
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(bytes))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        let text = String::deserialize(deserializer)?;
        let text: String = text.chars().filter(|c| !c.is_ascii_whitespace()).collect();
        STANDARD.decode(text).map_err(|_| D::Error::custom("not base64"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn post<'a>(from: &'a Sender, to: &'a [EmailAddress], headers: &'a [(String, String)]) -> Post<'a> {
        Post {
            message_id: Uuid::from_u128(7),
            from,
            to,
            cc: &[],
            reply_to: None,
            subject: "Hello",
            text: "plain",
            html: Some("<p>html</p>"),
            date: 1_700_000_000_000_000,
            headers,
            attachments: &[],
        }
    }

    fn header_lines(message: &str) -> Vec<String> {
        let head = message.split("\r\n\r\n").next().unwrap().replace("\r\n ", " ");
        head.split("\r\n").map(str::to_owned).collect()
    }

    #[test]
    fn carries_what_every_letter_must() {
        let from: Sender = "Gatepost <noreply@example.com>".parse().unwrap();
        let to = ["a@example.org".parse().unwrap()];
        let message = String::from_utf8(post(&from, &to, &[]).build().unwrap()).unwrap();
        let lines = header_lines(&message);
        for line in [
            "From: Gatepost <noreply@example.com>",
            "To: a@example.org",
            "Subject: Hello",
            "Message-ID: <00000000-0000-0000-0000-000000000007@example.com>",
            "Date: Tue, 14 Nov 2023 22:13:20 +0000",
            "Auto-Submitted: auto-generated",
            "X-Auto-Response-Suppress: All",
            "MIME-Version: 1.0",
        ] {
            assert!(lines.iter().any(|l| l == line), "{line} in {lines:#?}");
        }
        assert!(message.contains("multipart/alternative"));
        assert!(message.find("text/plain").unwrap() < message.find("text/html").unwrap());
        assert!(!message.to_lowercase().contains("list-unsubscribe"));
    }

    #[test]
    fn the_same_letter_is_the_same_bytes() {
        let from: Sender = "noreply@example.com".parse().unwrap();
        let to = ["a@example.org".parse().unwrap()];
        assert_eq!(
            post(&from, &to, &[]).build().unwrap(),
            post(&from, &to, &[]).build().unwrap()
        );
    }

    #[test]
    fn callers_set_only_harmless_headers() {
        for good in [
            "X-Campaign",
            "List-Unsubscribe",
            "list-id",
            "References",
            "In-Reply-To",
        ] {
            assert!(header_is_allowed(good), "{good}");
        }
        for bad in [
            "From",
            "Bcc",
            "To",
            "Subject",
            "Received",
            "X-",
            "X-A\r\nBcc",
            "X A",
            "Return-Path",
            "DKIM-Signature",
            "",
        ] {
            assert!(!header_is_allowed(bad), "{bad}");
        }
    }

    #[test]
    fn a_picture_is_shown_and_a_file_is_listed() {
        let from: Sender = "noreply@example.com".parse().unwrap();
        let to = ["a@example.org".parse().unwrap()];
        let attachments = [
            Attachment {
                name: "logo.png".into(),
                content_type: "image/png".into(),
                base64: vec![1, 2],
                cid: Some("logo".into()),
            },
            Attachment {
                name: "terms\r\n.pdf".into(),
                content_type: "application/pdf".into(),
                base64: vec![3],
                cid: None,
            },
        ];
        let message = Post {
            attachments: &attachments,
            ..post(&from, &to, &[])
        }
        .build()
        .unwrap();
        let message = String::from_utf8(message).unwrap();
        assert!(message.contains("Content-ID: <logo>") && message.contains("multipart/related"));
        assert!(message.contains("multipart/mixed") && message.contains("attachment; filename="));
    }

    proptest! {
        #[test]
        fn nothing_given_by_a_caller_adds_a_header(name in ".{0,30}", subject in ".{0,300}", value in ".{0,80}", body in "(.|\\r|\\n){0,200}") {
            let from = Sender { name: Some(name), address: "noreply@example.com".parse().unwrap() };
            let to = ["a@example.org".parse().unwrap()];
            let headers = [("X-Note".to_owned(), value)];
            let message = Post { subject: &subject, text: &body, html: Some(&body), ..post(&from, &to, &headers) }.build().unwrap();
            let text = String::from_utf8_lossy(&message).into_owned();
            let names: Vec<String> = header_lines(&text).iter().map(|l| l.split(':').next().unwrap().to_lowercase()).collect();
            let mut expected = vec!["from", "date", "message-id", "subject", "to", "x-note", "auto-submitted", "x-auto-response-suppress", "mime-version", "content-type"];
            for name in &names {
                let at = expected.iter().position(|e| e == name);
                prop_assert!(at.is_some(), "{name} in {text}");
                expected.remove(at.unwrap());
            }
            // No bare CR or LF anywhere.
            let stripped = text.replace("\r\n", "");
            prop_assert!(!stripped.contains('\r') && !stripped.contains('\n'));
        }
    }
}
