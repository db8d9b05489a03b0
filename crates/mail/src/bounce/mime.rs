//! As much of MIME as a report needs, and no more: headers, parts, base64 and quoted-printable.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// Headers of one part at most, and bytes of one of them; the rest is passed over.
const MOST_HEADERS: usize = 400;
const LONGEST: usize = 4096;
/// Parts of one multipart at most.
const MOST_PARTS: usize = 32;

/// Fields by lower-case name, unfolded.
#[derive(Debug, Default)]
pub(super) struct Headers(Vec<(String, String)>);

impl Headers {
    /// The fields up to the first empty line, and what comes after it.
    pub(super) fn parse(bytes: &[u8]) -> (Self, &[u8]) {
        let mut headers: Vec<(String, String)> = Vec::new();
        let mut rest = bytes;
        while let Some((line, after)) = next_line(rest) {
            rest = after;
            if line.is_empty() {
                break;
            }
            let text = String::from_utf8_lossy(&line[..line.len().min(LONGEST)]);
            if text.starts_with([' ', '\t']) {
                if let Some((_, value)) = headers.last_mut()
                    && value.len() < LONGEST
                {
                    if !value.is_empty() {
                        value.push(' ');
                    }
                    value.push_str(text.trim());
                }
            } else if let Some((name, value)) = text.split_once(':')
                && headers.len() < MOST_HEADERS
            {
                headers.push((name.trim().to_ascii_lowercase(), value.trim().to_owned()));
            }
        }
        (Self(headers), rest)
    }

    pub(super) fn first(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }

    pub(super) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0
            .iter()
            .filter(move |(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }

    pub(super) fn has_any(&self, names: &[&str]) -> bool {
        names.iter().any(|name| self.first(name).is_some())
    }
}

/// A message, or a part of one.
#[derive(Debug)]
pub(super) struct Entity<'a> {
    pub(super) headers: Headers,
    pub(super) media_type: String,
    boundary: Option<String>,
    body: &'a [u8],
}

impl<'a> Entity<'a> {
    pub(super) fn parse(bytes: &'a [u8]) -> Self {
        let (headers, body) = Headers::parse(bytes);
        let kind = headers.first("content-type").unwrap_or("text/plain");
        let mut fields = kind.split(';');
        let media_type = fields.next().unwrap_or_default().trim().to_ascii_lowercase();
        let boundary = fields.find_map(|field| {
            let (name, value) = field.split_once('=')?;
            name.trim()
                .eq_ignore_ascii_case("boundary")
                .then(|| value.trim().trim_matches('"').to_owned())
        });
        Self {
            headers,
            media_type,
            boundary: boundary.filter(|boundary| !boundary.is_empty()),
            body,
        }
    }

    /// The parts of a multipart; one that is cut off ends where the message does.
    pub(super) fn parts(&self) -> Vec<Entity<'a>> {
        let Some(boundary) = self.boundary.as_deref().map(str::as_bytes) else {
            return Vec::new();
        };
        let mut parts = Vec::new();
        let (mut rest, mut start): (&[u8], Option<&[u8]>) = (self.body, None);
        while let Some((line, after)) = next_line(rest) {
            let tail = line
                .strip_prefix(b"--")
                .and_then(|line| line.strip_prefix(boundary));
            if let Some(tail) = tail {
                if let Some(start) = start {
                    parts.push(Entity::parse(&start[..start.len() - rest.len()]));
                }
                start = Some(after);
                if tail.starts_with(b"--") || parts.len() >= MOST_PARTS {
                    return parts;
                }
            }
            rest = after;
        }
        parts.extend(start.map(Entity::parse));
        parts
    }

    /// The body without its transfer encoding.
    pub(super) fn decoded(&self) -> Cow<'a, [u8]> {
        let encoding = self
            .headers
            .first("content-transfer-encoding")
            .unwrap_or_default();
        match encoding.to_ascii_lowercase().as_str() {
            "base64" => {
                let clean: Vec<u8> = self
                    .body
                    .iter()
                    .copied()
                    .filter(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'='))
                    .collect();
                STANDARD
                    .decode(clean)
                    .map_or(Cow::Borrowed(self.body), Cow::Owned)
            }
            "quoted-printable" => Cow::Owned(quoted_printable(self.body)),
            _ => Cow::Borrowed(self.body),
        }
    }
}

/// A line without its end, and what comes after it; none at the end of the text.
fn next_line(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    if bytes.is_empty() {
        return None;
    }
    let (line, rest) = match bytes.iter().position(|byte| *byte == b'\n') {
        Some(end) => (&bytes[..end], &bytes[end + 1..]),
        None => (bytes, &bytes[bytes.len()..]),
    };
    Some((line.strip_suffix(b"\r").unwrap_or(line), rest))
}

fn quoted_printable(body: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(body.len());
    let mut rest = body;
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        if *first != b'=' {
            out.push(*first);
        } else if let Some(after) = rest.strip_prefix(b"\r\n").or(rest.strip_prefix(b"\n")) {
            rest = after;
        } else if let Some((code, after)) = rest.split_first_chunk::<2>()
            && let Some(byte) = std::str::from_utf8(code)
                .ok()
                .and_then(|code| u8::from_str_radix(code, 16).ok())
        {
            out.push(byte);
            rest = after;
        } else {
            out.push(b'=');
        }
    }
    out
}
