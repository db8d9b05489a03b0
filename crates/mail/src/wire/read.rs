//! Reading fields one by one, so that a refusal names all that are wrong and not the first.

use std::str::FromStr;

use serde_json::{Map, Value};

use super::{
    Content, FieldError, MAX_ATTACHED_IN_ALL, MAX_ATTACHMENTS, MAX_DATA, MAX_HTML, MAX_MESSAGE,
    MAX_RECIPIENTS, MailRequest, TemplateData, WireError,
};
use crate::post::{Attachment, header_is_allowed};
use crate::{EmailAddress, Sender};

/// Longest line that a header could carry (RFC 5322 2.1.1), in bytes.
const MAX_LINE: usize = 998;
/// Longest language tag in bytes (RFC 5646 4.4.1).
const MAX_TAG: usize = 35;
const MAX_HEADERS: usize = 20;
const MAX_FILES: usize = 20;

pub(super) struct Fields<'a> {
    object: &'a Map<String, Value>,
    within: &'static str,
    errors: Vec<FieldError>,
}

/// What a request may have and the Python JSON has not.
#[derive(Default)]
struct Rest {
    cc: Vec<EmailAddress>,
    bcc: Vec<EmailAddress>,
    reply_to: Option<EmailAddress>,
    text: Option<String>,
    headers: Vec<(String, String)>,
    attachments: Vec<Attachment>,
    locale: Option<String>,
    expires_at: Option<i64>,
}

/// Whether it could be a language tag, such as `pt-BR`.
pub(super) fn is_language_tag(text: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-_".contains(&b);
    text.len() <= MAX_TAG && text.bytes().all(plain)
}

impl<'a> Fields<'a> {
    pub(super) fn new(object: &'a Map<String, Value>) -> Self {
        Self {
            object,
            within: "",
            errors: Vec::new(),
        }
    }

    /// The request, or every reason why it is none.
    pub(super) fn finish(self, request: Option<MailRequest>) -> Result<MailRequest, WireError> {
        match request {
            Some(request) if self.errors.is_empty() => Ok(request),
            _ => Err(WireError::Fields(self.errors)),
        }
    }

    /// Reads all of it; `ours` are the fields that the Python JSON does not have.
    pub(super) fn request(&mut self, ours: bool) -> Option<MailRequest> {
        let to = self
            .needed("to_email")
            .and_then(|text| self.address("to_email", text));
        let subject = self.text("subject", MAX_LINE).map(str::to_owned);
        // An empty one is none, as in `told.get("from_email") or DEFAULT_FROM_EMAIL`.
        let from = self
            .text("from_email", MAX_LINE)
            .filter(|text| !text.trim().is_empty())
            .and_then(|text| self.parsed::<Sender>("from_email", text));
        // As it is written again: a name in quotes grows by what has to be escaped.
        if from
            .as_ref()
            .is_some_and(|from| from.to_string().len() > MAX_LINE)
        {
            let message = format!("at most {MAX_LINE} bytes, with its name in quotes");
            self.wrong("from_email", "too_long", &message);
        }
        let content = self.content(ours);
        let rest = if ours { self.rest() } else { Rest::default() };
        Some(MailRequest {
            to: to?,
            cc: rest.cc,
            bcc: rest.bcc,
            reply_to: rest.reply_to,
            from,
            subject,
            content: content?,
            text: rest.text,
            headers: rest.headers,
            attachments: rest.attachments,
            locale: rest.locale,
            expires_at: rest.expires_at,
        })
    }

    fn rest(&mut self) -> Rest {
        let cc = self.addresses("cc", MAX_RECIPIENTS - 1);
        let bcc = self.addresses("bcc", MAX_RECIPIENTS - 1 - cc.len());
        let locale = self.text("locale", MAX_TAG).map(str::to_owned);
        if locale.as_ref().is_some_and(|tag| !is_language_tag(tag)) {
            self.wrong(
                "locale",
                "invalid",
                "a language tag such as en or pt-BR is needed",
            );
        }
        let expires_at = self.text("expires_at", 64).and_then(|text| {
            let time = jiff::Timestamp::from_str(text).ok();
            if time.is_none() {
                self.wrong(
                    "expires_at",
                    "invalid",
                    "a time such as 2026-01-31T12:00:00Z is needed",
                );
            }
            time.map(jiff::Timestamp::as_microsecond)
        });
        let attachments = self.attachments(1 + cc.len() + bcc.len());
        Rest {
            cc,
            bcc,
            reply_to: self
                .text("reply_to", MAX_LINE)
                .and_then(|text| self.address("reply_to", text)),
            text: self.text("text", MAX_MESSAGE).map(str::to_owned),
            headers: self.headers(),
            attachments,
            locale,
            expires_at,
        }
    }

    fn content(&mut self, ours: bool) -> Option<Content> {
        let template = if ours { self.text("template", 64) } else { None };
        let data = self.present("template_data");
        if let Some(name) = template {
            if data.is_some() {
                self.wrong(
                    "template",
                    "conflict",
                    "give either template and data or template_data",
                );
                return None;
            }
            let data = match self.present("data") {
                None => Map::new(),
                Some(Value::Object(data)) => {
                    if serde_json::to_vec(data).map_or(0, |json| json.len()) > MAX_DATA {
                        self.wrong("data", "too_long", "at most 1 MiB as JSON");
                        return None;
                    }
                    data.clone()
                }
                Some(_) => {
                    self.wrong("data", "wrong_type", "an object is needed");
                    return None;
                }
            };
            return Some(Content::Template {
                name: name.to_owned(),
                data,
            });
        }
        let Some(data) = data else {
            self.wrong("template_data", "missing", "an object with a message is needed");
            return None;
        };
        let Value::Object(data) = data else {
            self.wrong(
                "template_data",
                "wrong_type",
                "an object with a message is needed",
            );
            return None;
        };
        let mut inner = Fields {
            object: data,
            within: "template_data.",
            errors: Vec::new(),
        };
        let content = inner.message();
        self.errors.append(&mut inner.errors);
        content
    }

    fn message(&mut self) -> Option<Content> {
        let title = self.text("title", MAX_LINE).map(str::to_owned);
        let logo_url = self.text("logo_url", 2_048).map(str::to_owned);
        // An empty one is none: it would show an empty letter to whoever reads HTML.
        let html_content = self
            .text("html_content", MAX_HTML)
            .filter(|html| !html.trim().is_empty())
            .map(str::to_owned);
        if self
            .present("message")
            .and_then(Value::as_str)
            .is_some_and(|m| m.trim().is_empty())
        {
            self.wrong("message", "missing", "a text is needed");
            return None;
        }
        if self.present("message").is_none() {
            self.wrong("message", "missing", "a text is needed");
            return None;
        }
        let message = self.text("message", MAX_MESSAGE)?.to_owned();
        Some(Content::Message(TemplateData {
            title,
            message,
            logo_url,
            html_content,
        }))
    }

    fn headers(&mut self) -> Vec<(String, String)> {
        let object = match self.present("headers") {
            None => return Vec::new(),
            Some(Value::Object(object)) => object,
            Some(_) => {
                self.wrong("headers", "wrong_type", "an object of texts is needed");
                return Vec::new();
            }
        };
        if object.len() > MAX_HEADERS {
            self.wrong("headers", "too_long", "at most 20 headers");
        }
        let mut headers = Vec::new();
        for (name, value) in object.iter().take(MAX_HEADERS) {
            if !header_is_allowed(name) {
                self.wrong(
                    "headers",
                    "not_allowed",
                    "only X-*, List-*, References and In-Reply-To may be set",
                );
                continue;
            }
            match value.as_str() {
                Some(value) if value.len() <= MAX_LINE && !value.contains(['\r', '\n', '\0']) => {
                    headers.push((name.clone(), value.to_owned()));
                }
                _ => self.wrong("headers", "invalid", "a header is one line of at most 998 bytes"),
            }
        }
        headers
    }

    fn attachments(&mut self, recipients: usize) -> Vec<Attachment> {
        let Some(list) = self.list("attachments", MAX_FILES) else {
            return Vec::new();
        };
        let mut files = Vec::new();
        for item in list {
            match serde_json::from_value::<Attachment>(item.clone()) {
                Ok(file) if file.is_media_type() => files.push(file),
                Ok(_) => self.wrong("attachments", "invalid", "type is a media type such as image/png"),
                Err(_) => self.wrong("attachments", "invalid", "each has a name, a type and base64"),
            }
        }
        let size: usize = files.iter().map(|file| file.base64.len()).sum();
        if size > MAX_ATTACHMENTS {
            self.wrong("attachments", "too_long", "at most 7 MiB together");
        } else if size * recipients > MAX_ATTACHED_IN_ALL {
            let text = "at most 64 MiB counted once for each recipient; write to fewer of them at a time";
            self.wrong("attachments", "too_long", text);
        }
        files
    }

    fn addresses(&mut self, field: &'static str, most: usize) -> Vec<EmailAddress> {
        let Some(list) = self.list(field, most) else {
            return Vec::new();
        };
        let mut addresses = Vec::new();
        for item in list {
            match item.as_str() {
                Some(text) => addresses.extend(self.address(field, text)),
                None => self.wrong(field, "wrong_type", "a list of e-mail addresses is needed"),
            }
        }
        addresses
    }

    fn list(&mut self, field: &'static str, most: usize) -> Option<&'a [Value]> {
        match self.present(field)? {
            Value::Array(list) if list.len() <= most => Some(list),
            Value::Array(_) => {
                self.wrong(field, "too_long", &format!("at most {most} entries"));
                None
            }
            _ => {
                self.wrong(field, "wrong_type", "a list is needed");
                None
            }
        }
    }

    /// The field, unless it is missing or null.
    fn present(&self, field: &str) -> Option<&'a Value> {
        self.object.get(field).filter(|value| !value.is_null())
    }

    fn needed(&mut self, field: &'static str) -> Option<&'a str> {
        if self.present(field).is_none() {
            self.wrong(field, "missing", "this field is needed");
        }
        self.text(field, MAX_LINE)
    }

    fn text(&mut self, field: &'static str, most: usize) -> Option<&'a str> {
        match self.present(field)? {
            Value::String(text) if text.len() <= most => Some(text),
            Value::String(_) => {
                self.wrong(field, "too_long", &format!("at most {most} bytes"));
                None
            }
            _ => {
                self.wrong(field, "wrong_type", "a text is needed");
                None
            }
        }
    }

    /// `Ann <ann@example.com>` is an address to Python, spaces around it or not. The name is not shown.
    fn address(&mut self, field: &'static str, text: &str) -> Option<EmailAddress> {
        self.parsed::<Sender>(field, text).map(|whole| whole.address)
    }

    fn parsed<T: FromStr<Err = crate::AddressError>>(
        &mut self,
        field: &'static str,
        text: &str,
    ) -> Option<T> {
        match text.parse() {
            Ok(value) => Some(value),
            Err(error) => {
                self.wrong(field, "invalid", &error.to_string());
                None
            }
        }
    }

    fn wrong(&mut self, field: &str, code: &'static str, message: &str) {
        self.errors.push(FieldError {
            field: format!("{}{field}", self.within),
            code,
            message: message.to_owned(),
        });
    }
}
