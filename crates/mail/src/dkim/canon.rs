//! The relaxed form of header and body (RFC 6376 3.4.2, 3.4.4).

/// The header of a message: each field as it stands, folding included.
pub(super) struct Headers<'a> {
    fields: Vec<(String, &'a str)>,
}

impl<'a> Headers<'a> {
    /// The header's fields, and what follows the empty line. `None` if there is no header, or one that is
    /// not UTF-8.
    pub(super) fn split(message: &'a [u8]) -> Option<(Self, &'a [u8])> {
        let end = message.windows(4).position(|end| end == b"\r\n\r\n")?;
        let head = std::str::from_utf8(&message[..end + 2]).ok()?;
        let mut fields: Vec<(String, &str)> = Vec::new();
        let mut start = 0;
        let mut at = 0;
        for line in head.split_inclusive("\r\n") {
            let folded = line.starts_with([' ', '\t']);
            if !folded && at > start {
                fields.push(named(&head[start..at])?);
                start = at;
            }
            at += line.len();
        }
        fields.push(named(&head[start..])?);
        Some((Self { fields }, &message[end + 4..]))
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.count(name) > 0
    }

    pub(super) fn count(&self, name: &str) -> usize {
        self.fields.iter().filter(|(field, _)| field == name).count()
    }

    /// The named fields in relaxed form, one a line: for a name that is there several times, the last one
    /// first, and nothing once there is no more (RFC 6376 5.4.2).
    pub(super) fn canonical(&self, names: &[&str]) -> String {
        let mut left: Vec<&(String, &str)> = self.fields.iter().collect();
        let mut text = String::new();
        for name in names {
            if let Some(nth) = left.iter().rposition(|(field, _)| field == name) {
                let (_, raw) = left.remove(nth);
                if let Some(line) = field(raw) {
                    text.push_str(&line);
                    text.push_str("\r\n");
                }
            }
        }
        text
    }
}

fn named(raw: &str) -> Option<(String, &str)> {
    let (name, _) = raw.split_once(':')?;
    Some((name.trim_end().to_ascii_lowercase(), raw))
}

/// One field in relaxed form, without the line end.
pub(super) fn field(raw: &str) -> Option<String> {
    let (name, value) = raw.split_once(':')?;
    let words: Vec<&str> = value
        .split([' ', '\t', '\r', '\n'])
        .filter(|word| !word.is_empty())
        .collect();
    Some(format!(
        "{}:{}",
        name.trim_end().to_ascii_lowercase(),
        words.join(" ")
    ))
}

/// The body in relaxed form.
pub(super) fn body(content: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(content.len() + 2);
    let mut kept = 0;
    for line in content.split_inclusive(|byte| *byte == b'\n') {
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let mut space = false;
        let start = out.len();
        for byte in line {
            if matches!(byte, b' ' | b'\t') {
                space = true;
                continue;
            }
            if std::mem::take(&mut space) {
                out.push(b' ');
            }
            out.push(*byte);
        }
        let empty = out.len() == start;
        out.extend_from_slice(b"\r\n");
        if !empty {
            kept = out.len();
        }
    }
    // Empty lines at the end do not count.
    out.truncate(kept);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_the_examples_of_rfc_6376_3_4_5_have_it() {
        let message = b"A: X\r\nB : Y\t\r\n\tZ  \r\n\r\n C \r\nD \t E\r\n\r\n\r\n";
        let (headers, content) = Headers::split(message).unwrap();
        assert_eq!(headers.canonical(&["a", "b", "b"]), "a:X\r\nb:Y Z\r\n");
        assert_eq!(body(content), b" C\r\nD E\r\n");
        assert_eq!(body(b""), b"");
        assert_eq!(body(b"\r\n\r\n"), b"");
        assert_eq!(body(b"no end"), b"no end\r\n");
    }

    #[test]
    fn the_last_of_several_fields_is_taken_first() {
        let (headers, _) = Headers::split(b"X: 1\r\nY: 2\r\nX: 3\r\n\r\n").unwrap();
        assert_eq!(headers.canonical(&["x", "x", "x", "y"]), "x:3\r\nx:1\r\ny:2\r\n");
        assert!(Headers::split(b"no header").is_none());
    }
}
