//! An HTTP client that reports instead of failing: every status is an answer.

use std::time::Duration;

use serde_json::Value;
use ureq::http::{HeaderMap, Method, Request};

use super::report::Unmet;

/// No step of the tour waits for anything slower than a password's hash.
const PATIENCE: Duration = Duration::from_secs(20);

/// One instance, as seen by one client that keeps cookies and follows no redirect by itself.
#[derive(Debug)]
pub(super) struct Client {
    agent: ureq::Agent,
    base: String,
}

/// What came back.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
    what: String,
}

/// What is sent along.
pub(super) enum Send<'a> {
    Nothing,
    Json(&'a Value),
    Form(&'a [(String, String)]),
}

impl Client {
    pub(super) fn new(base: &str) -> Self {
        let agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .allow_non_standard_methods(true)
            .timeout_global(Some(PATIENCE))
            .user_agent(concat!("gatepost-tour/", env!("CARGO_PKG_VERSION")))
            .build()
            .new_agent();
        Self {
            agent,
            base: base.to_owned(),
        }
    }

    /// Whether anything answers, in words that say what to do.
    pub(super) fn reachable(&self) -> Result<(), String> {
        match self.send(&Method::GET, "/healthz", None, &Send::Nothing) {
            Ok(answer) if answer.status == 200 => Ok(()),
            Ok(answer) => Err(format!(
                "{} is no Gatepost: GET /healthz gave {}",
                self.base, answer.status
            )),
            Err(unmet) => Err(format!(
                "{} cannot be reached ({}): is it running there?",
                self.base, unmet.came
            )),
        }
    }

    pub(super) fn get(&self, path: &str, bearer: Option<&str>) -> Result<Answer, Unmet> {
        self.send(&Method::GET, path, bearer, &Send::Nothing)
    }

    pub(super) fn head(&self, path: &str) -> Result<Answer, Unmet> {
        self.send(&Method::HEAD, path, None, &Send::Nothing)
    }

    pub(super) fn post(&self, path: &str, bearer: Option<&str>, json: &Value) -> Result<Answer, Unmet> {
        self.send(&Method::POST, path, bearer, &Send::Json(json))
    }

    pub(super) fn delete(&self, path: &str, bearer: &str, json: &Value) -> Result<Answer, Unmet> {
        self.send(&Method::DELETE, path, Some(bearer), &Send::Json(json))
    }

    /// A form, as a browser sends it from a page of the same origin.
    pub(super) fn submit(&self, path: &str, fields: &[(String, String)]) -> Result<Answer, Unmet> {
        self.send(&Method::POST, path, None, &Send::Form(fields))
    }

    fn send(
        &self,
        method: &Method,
        path: &str,
        bearer: Option<&str>,
        body: &Send<'_>,
    ) -> Result<Answer, Unmet> {
        // A link carries its token in the query: what is printed ends before it.
        let what = format!("{method} {}", path.split('?').next().unwrap_or_default());
        let gone = |why: String| Unmet::new(format!("an answer to {what}"), why);
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.base));
        if let Some(bearer) = bearer {
            request = request.header("authorization", format!("Bearer {bearer}"));
        }
        let answer = match body {
            Send::Nothing => request
                .body(())
                .map_err(|e| gone(e.to_string()))
                .map(|r| self.agent.run(r))?,
            Send::Json(json) => request
                .header("content-type", "application/json")
                .body(json.to_string().into_bytes())
                .map_err(|e| gone(e.to_string()))
                .map(|r| self.agent.run(r))?,
            Send::Form(fields) => request
                .header("content-type", "application/x-www-form-urlencoded")
                .header("origin", &self.base)
                .body(encode(fields).into_bytes())
                .map_err(|e| gone(e.to_string()))
                .map(|r| self.agent.run(r))?,
        };
        let answer = answer.map_err(|e| gone(e.to_string()))?;
        let (parts, mut body) = answer.into_parts();
        let body = body.read_to_vec().map_err(|e| gone(e.to_string()))?;
        Ok(Answer {
            status: parts.status.as_u16(),
            headers: parts.headers,
            body,
            what,
        })
    }
}

impl Answer {
    /// This status, or the step is over.
    pub(super) fn expect(self, status: u16) -> Result<Self, Unmet> {
        if self.status == status {
            return Ok(self);
        }
        Err(self.unlike(&format!("{status} from {}", self.what)))
    }

    /// A refusal with this status whose `code` is one of `codes`; gives the code back.
    pub(super) fn refused(self, status: u16, codes: &[&str]) -> Result<String, Unmet> {
        let code = self.code();
        match code {
            Some(code) if self.status == status && codes.contains(&code.as_str()) => Ok(code),
            _ => Err(self.unlike(&format!("{status} {} from {}", codes.join(" or "), self.what))),
        }
    }

    /// An answer of another kind than was expected.
    pub(super) fn unlike(&self, expected: &str) -> Unmet {
        let came = match self.code() {
            Some(code) => format!(
                "{} {code} ({})",
                self.status,
                self.text("/detail").unwrap_or_default()
            ),
            None => format!("{}, {} bytes of {}", self.status, self.body.len(), self.kind()),
        };
        Unmet::new(expected, came)
    }

    /// The text at a JSON pointer.
    pub(super) fn text(&self, pointer: &str) -> Option<String> {
        self.json().pointer(pointer)?.as_str().map(str::to_owned)
    }

    /// The text at a JSON pointer, or the step is over.
    pub(super) fn need(&self, pointer: &str) -> Result<String, Unmet> {
        self.text(pointer).filter(|text| !text.is_empty()).ok_or_else(|| {
            Unmet::new(
                format!(
                    "{} in the answer to {}",
                    pointer.trim_start_matches('/'),
                    self.what
                ),
                "nothing there",
            )
        })
    }

    /// The body as JSON; null if it is none.
    pub(super) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }

    /// The body as a page.
    pub(super) fn page(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The media type, without its parameters.
    pub(super) fn kind(&self) -> String {
        let kind = self
            .headers
            .get("content-type")
            .and_then(|v| v.to_str().ok())
            .unwrap_or("nothing");
        kind.split(';').next().unwrap_or(kind).trim().to_owned()
    }

    fn code(&self) -> Option<String> {
        self.text("/code")
    }
}

/// `application/x-www-form-urlencoded`.
fn encode(fields: &[(String, String)]) -> String {
    let pairs: Vec<_> = fields
        .iter()
        .map(|(k, v)| format!("{}={}", escape(k), escape(v)))
        .collect();
    pairs.join("&")
}

/// Percent-encodes all but the unreserved characters of RFC 3986.
pub(super) fn escape(text: &str) -> String {
    use std::fmt::Write;
    text.bytes()
        .fold(String::with_capacity(text.len()), |mut out, byte| {
            if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
                out.push(char::from(byte));
            } else {
                // Writing to a string does not fail.
                let _ = write!(out, "%{byte:02X}");
            }
            out
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_is_encoded_byte_by_byte() {
        let fields = [
            ("a b".to_owned(), "п&=".to_owned()),
            ("c".to_owned(), "-._~9".to_owned()),
        ];
        assert_eq!(encode(&fields), "a%20b=%D0%BF%26%3D&c=-._~9");
    }
}
