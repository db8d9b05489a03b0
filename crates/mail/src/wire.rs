//! Mail as other programs write it: the Python services' JSON, and what `POST /api/mail` takes.
//!
//! The Python JSON is `{"to_email", "subject"?, "from_email"?, "template_data": {"title"?, "message",
//! "logo_url"?, "html_content"?}}`. Instead of `template_data` a request may name a `template` and
//! its `data`. Fields that are not known are ignored, as the Python services do.

mod read;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::post::Attachment;
use crate::{EmailAddress, Sender};
use read::Fields;

/// Longest message in bytes.
pub const MAX_MESSAGE: usize = 256 * 1024;
/// Longest finished HTML part in bytes; Gmail cuts letters off at 102 KiB anyway.
pub const MAX_HTML: usize = 1024 * 1024;
/// Most recipients of one request.
pub const MAX_RECIPIENTS: usize = 50;
/// Largest attachments together, in bytes before base64. Most servers take 10 MiB to 25 MiB encoded.
pub const MAX_ATTACHMENTS: usize = 7 * 1024 * 1024;
/// Largest attachments counted once for each recipient, in bytes before base64: each has a sealed copy, and one
/// transaction holds them all.
pub const MAX_ATTACHED_IN_ALL: usize = 64 * 1024 * 1024;
/// Largest `data` of a template in bytes, as JSON.
pub const MAX_DATA: usize = 1024 * 1024;

/// A mail that somebody asked for, checked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MailRequest {
    /// Who it goes to.
    pub to: EmailAddress,
    /// Who gets a copy and is named.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cc: Vec<EmailAddress>,
    /// Who gets a copy and is not named.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub bcc: Vec<EmailAddress>,
    /// Where answers go.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply_to: Option<EmailAddress>,
    /// Who it is from; the configured sender without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Sender>,
    /// The subject; the title or the template's own without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// What it says.
    pub content: Content,
    /// A plain part in place of the rendered one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// Headers: `X-*`, `List-*`, `References`, `In-Reply-To`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub headers: Vec<(String, String)>,
    /// Files.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attachments: Vec<Attachment>,
    /// The reader's language.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub locale: Option<String>,
    /// When it is no longer worth sending, in microseconds since the epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<i64>,
}

/// What a mail says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Content {
    /// The Python services' `template_data`, shown by the template `notification`.
    Message(TemplateData),
    /// A template by name.
    Template {
        /// Its name.
        name: String,
        /// What it shows.
        data: Map<String, Value>,
    },
}

/// The Python services' `template_data`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TemplateData {
    /// The heading, and the subject if there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Plain text; an empty line begins a paragraph.
    pub message: String,
    /// A picture, as a URL or `cid:` of an attachment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub logo_url: Option<String>,
    /// The finished HTML part, in place of the rendered one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub html_content: Option<String>,
}

/// One field that does not fit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FieldError {
    /// Where: `to_email`, `template_data.message`.
    pub field: String,
    /// A stable word: `missing`, `wrong_type`, `invalid`, `too_long`, `not_allowed`, `conflict`.
    pub code: &'static str,
    /// One sentence for a person.
    pub message: String,
}

/// Why a request is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WireError {
    /// Not JSON, not UTF-8, nested too deep, or no object.
    #[error("not a JSON object: {0}")]
    Syntax(String),
    /// JSON with fields that do not fit; every one of them is named.
    #[error("{}", .0.iter().map(|e| format!("{}: {}", e.field, e.message)).collect::<Vec<_>>().join("; "))]
    Fields(Vec<FieldError>),
}

impl WireError {
    /// Whether it could not be read at all.
    pub fn is_syntax(&self) -> bool {
        matches!(self, Self::Syntax(_))
    }

    /// The fields that do not fit.
    pub fn fields(&self) -> &[FieldError] {
        match self {
            Self::Syntax(_) => &[],
            Self::Fields(fields) => fields,
        }
    }
}

impl MailRequest {
    /// A template and its data to one reader, and nothing else.
    pub fn of_template(to: EmailAddress, name: &str, data: Map<String, Value>, locale: String) -> Self {
        Self {
            to,
            cc: Vec::new(),
            bcc: Vec::new(),
            reply_to: None,
            from: None,
            subject: None,
            content: Content::Template {
                name: name.to_owned(),
                data,
            },
            text: None,
            headers: Vec::new(),
            attachments: Vec::new(),
            locale: Some(locale),
            expires_at: None,
        }
    }

    /// Reads the body of `POST /api/mail`.
    ///
    /// ```
    /// use gatepost_mail::wire::MailRequest;
    ///
    /// let body = br#"{"to_email": "a@example.com", "template_data": {"title": "Hi", "message": "Hello"}, "later": 1}"#;
    /// let request = MailRequest::parse(body)?;
    /// assert_eq!(request.subject(), Some("Hi"));
    /// let refused = MailRequest::parse(br#"{"to_email": "a b", "template_data": {}}"#).unwrap_err();
    /// assert_eq!(refused.fields().len(), 2);
    /// # Ok::<(), gatepost_mail::wire::WireError>(())
    /// ```
    pub fn parse(body: &[u8]) -> Result<Self, WireError> {
        let value: Value =
            serde_json::from_slice(body).map_err(|error| WireError::Syntax(error.to_string()))?;
        Self::from_value(&value)
    }

    /// The same from JSON that was read before.
    pub fn from_value(value: &Value) -> Result<Self, WireError> {
        let object = value
            .as_object()
            .ok_or_else(|| WireError::Syntax("expected an object".to_owned()))?;
        let mut fields = Fields::new(object);
        let request = fields.request(true);
        fields.finish(request)
    }

    /// Reads a message of `email_queue`: the Python JSON and nothing more. Names that are ours in a
    /// request are unknown fields there.
    pub fn parse_wire(body: &[u8]) -> Result<Self, WireError> {
        let value: Value =
            serde_json::from_slice(body).map_err(|error| WireError::Syntax(error.to_string()))?;
        let object = value
            .as_object()
            .ok_or_else(|| WireError::Syntax("expected an object".to_owned()))?;
        let mut fields = Fields::new(object);
        let request = fields.request(false);
        fields.finish(request)
    }

    /// In the language of a message's header `x-locale`; what is no language tag is passed over.
    #[cfg(feature = "queue")]
    pub(crate) fn in_language(mut self, tag: Option<&String>) -> Self {
        self.locale = tag.filter(|tag| read::is_language_tag(tag)).cloned();
        self
    }

    /// The first field that a Python consumer could not deliver, if there is one.
    pub fn beyond_python(&self) -> Option<&'static str> {
        [
            ("cc", !self.cc.is_empty()),
            ("bcc", !self.bcc.is_empty()),
            ("reply_to", self.reply_to.is_some()),
            ("text", self.text.is_some()),
            ("headers", !self.headers.is_empty()),
            ("attachments", !self.attachments.is_empty()),
        ]
        .into_iter()
        .find_map(|(field, given)| given.then_some(field))
    }

    /// The Python JSON of this request, if a Python consumer could deliver all of it.
    pub fn to_wire(&self) -> Option<Value> {
        let Content::Message(data) = &self.content else {
            return None;
        };
        if self.beyond_python().is_some() {
            return None;
        }
        let mut wire = json!({ "to_email": self.to, "template_data": data });
        if let Some(subject) = &self.subject {
            wire["subject"] = json!(subject);
        }
        if let Some(from) = &self.from {
            wire["from_email"] = json!(from);
        }
        Some(wire)
    }

    /// The subject that was asked for: `subject`, or the title.
    pub fn subject(&self) -> Option<&str> {
        let title = match &self.content {
            Content::Message(data) => data.title.as_deref(),
            Content::Template { .. } => None,
        };
        self.subject.as_deref().or(title)
    }

    /// The template that shows it.
    pub fn template(&self) -> &str {
        match &self.content {
            Content::Message(_) => "notification",
            Content::Template { name, .. } => name,
        }
    }

    /// Everybody it goes to: `to`, `cc`, `bcc`, in this order.
    pub fn recipients(&self) -> impl Iterator<Item = &EmailAddress> {
        std::iter::once(&self.to).chain(&self.cc).chain(&self.bcc)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn errors(body: &Value) -> Vec<(String, &'static str)> {
        let error = MailRequest::from_value(body).unwrap_err();
        error.fields().iter().map(|e| (e.field.clone(), e.code)).collect()
    }

    #[test]
    fn the_python_json_passes_through_unchanged() {
        let wire = json!({
            "to_email": "a@example.com",
            "subject": "Привет",
            "from_email": "Shop <shop@example.com>",
            "template_data": {"title": "T", "message": "M\n\nN", "logo_url": "cid:logo", "html_content": "<p>M</p>"},
        });
        let request = MailRequest::parse_wire(wire.to_string().as_bytes()).unwrap();
        assert_eq!(request.to_wire().unwrap(), wire);
        let least = json!({"to_email": "a@example.com", "template_data": {"message": "M"}, "retry": null});
        assert_eq!(
            MailRequest::from_value(&least).unwrap().to_wire().unwrap(),
            json!({"to_email": "a@example.com", "template_data": {"message": "M"}})
        );
    }

    #[test]
    fn names_every_field_that_does_not_fit() {
        let body = json!({
            "to_email": "a@b.co\r\nBcc: x@y.z", "subject": 7, "from_email": "no", "template_data": {"title": [], "message": "  "},
            "cc": ["x"], "headers": {"Bcc": "x@y.z"}, "locale": "../etc", "expires_at": "tomorrow",
            "attachments": [{"name": "a", "type": "text/plain", "base64": "%%"}],
        });
        let found = errors(&body);
        for field in [
            "to_email",
            "subject",
            "from_email",
            "template_data.title",
            "template_data.message",
            "cc",
            "headers",
            "locale",
            "expires_at",
            "attachments",
        ] {
            assert!(
                found.iter().any(|(name, _)| name.starts_with(field)),
                "{field} in {found:?}"
            );
        }
    }

    #[test]
    fn says_what_it_says_once() {
        assert_eq!(
            errors(&json!({"to_email": "a@b.co"})),
            [("template_data".to_owned(), "missing")]
        );
        let both = json!({"to_email": "a@b.co", "template": "x", "template_data": {"message": "m"}});
        assert_eq!(errors(&both), [("template".to_owned(), "conflict")]);
        let template = json!({"to_email": "a@b.co", "template": "invoice", "data": {"n": 1}, "expires_at": "2026-01-01T00:00:00Z"});
        let request = MailRequest::from_value(&template).unwrap();
        assert_eq!(
            (request.template(), request.expires_at),
            ("invoice", Some(1_767_225_600_000_000))
        );
        assert!(request.to_wire().is_none());
    }

    /// Found by fuzzing: a name whose escapes made what was written longer than what is read.
    #[test]
    fn a_sender_that_fits_only_without_its_quotes_is_too_long() {
        for (backslashes, fits) in [(300, true), (600, false)] {
            let from = format!("{} <shop@example.com>", "\\".repeat(backslashes));
            let wire = json!({"to_email": "a@b.co", "from_email": from, "template_data": {"message": "m"}});
            let parsed = MailRequest::parse_wire(wire.to_string().as_bytes());
            assert_eq!(parsed.is_ok(), fits, "{parsed:?}");
            if let Ok(request) = parsed {
                let again = request.to_wire().unwrap().to_string();
                assert_eq!(MailRequest::parse_wire(again.as_bytes()), Ok(request));
            }
        }
    }

    #[test]
    fn empty_fields_are_none_to_python_and_so_they_are_here() {
        let wire = json!({"to_email": " Ann <ann@example.com> ", "subject": "", "from_email": "",
            "template_data": {"title": "", "message": "M", "logo_url": "", "html_content": " \n"}});
        for request in [
            MailRequest::from_value(&wire),
            MailRequest::parse_wire(wire.to_string().as_bytes()),
        ] {
            let request = request.unwrap();
            assert_eq!((request.to.as_str(), request.from), ("ann@example.com", None));
            let Content::Message(data) = request.content else {
                panic!("a message");
            };
            assert_eq!(data.html_content, None);
        }
        let several = json!({"to_email": "a@b.co, c@d.co", "template_data": {"message": "M"}});
        assert_eq!(errors(&several), [("to_email".to_owned(), "invalid")]);
    }

    #[test]
    fn what_is_too_long_is_refused() {
        let long = |n: usize| "x".repeat(n);
        let body = json!({"to_email": "a@b.co", "template_data": {"message": long(MAX_MESSAGE + 1)}});
        assert_eq!(errors(&body), [("template_data.message".to_owned(), "too_long")]);
        let many: Vec<String> = (0..MAX_RECIPIENTS).map(|n| format!("u{n}@b.co")).collect();
        let body = json!({"to_email": "a@b.co", "cc": many, "template_data": {"message": "m"}});
        assert_eq!(errors(&body), [("cc".to_owned(), "too_long")]);
        let body = json!({"to_email": "a@b.co", "template": "invoice", "data": {"n": long(MAX_DATA)}});
        assert_eq!(errors(&body), [("data".to_owned(), "too_long")]);
    }

    #[test]
    fn attachments_are_counted_once_for_each_recipient() {
        let attached = |bytes: usize, copies: usize| {
            let cc: Vec<String> = (0..copies).map(|n| format!("u{n}@b.co")).collect();
            let file = "AAAA".repeat(bytes / 3);
            json!({"to_email": "a@b.co", "cc": cc, "template_data": {"message": "m"},
                "attachments": [{"name": "a.bin", "type": "application/octet-stream", "base64": file}]})
        };
        assert!(MailRequest::from_value(&attached(MAX_ATTACHMENTS, 0)).is_ok());
        let too_long = [("attachments".to_owned(), "too_long")];
        assert_eq!(errors(&attached(MAX_ATTACHMENTS + 3, 0)), too_long);
        assert!(MailRequest::from_value(&attached(MAX_ATTACHMENTS, 8)).is_ok());
        assert_eq!(errors(&attached(MAX_ATTACHMENTS, 9)), too_long);
    }

    #[test]
    fn what_is_no_object_is_syntax() {
        for bad in ["", "[]", "\"x\"", "{", "{\"to_email\": \"\\ud800\"}"] {
            assert!(
                MailRequest::parse(bad.as_bytes()).unwrap_err().is_syntax(),
                "{bad}"
            );
        }
        assert!(MailRequest::parse(&[b'"', 0xff, b'"']).unwrap_err().is_syntax());
        assert!(
            MailRequest::parse("[".repeat(100_000).as_bytes())
                .unwrap_err()
                .is_syntax()
        );
    }
}
