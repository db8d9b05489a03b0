//! JSON as Python 3.8 to 3.12 reads it, with its very words for what it can't read: they stand in Django's answers.

use super::value::{Text, Value};

/// Python gives up at about a thousand, with a 500.
const DEEPEST: usize = 200;

/// The value, or what Python says.
pub(super) fn parse(body: &[u8], charset: Option<&str>) -> Result<Value, String> {
    let text = match charset {
        Some("latin-1" | "latin1" | "iso-8859-1" | "l1") => body.iter().copied().map(char::from).collect(),
        _ => utf8(body)?,
    };
    let reader = Reader {
        text: text.chars().collect(),
    };
    if reader.text.first() == Some(&'\u{feff}') {
        return Err(reader.at("Unexpected UTF-8 BOM (decode using utf-8-sig)", 0));
    }
    let (value, end) = reader.value(reader.blank(0), 0)?;
    let end = reader.blank(end);
    if end == reader.text.len() {
        Ok(value)
    } else {
        Err(reader.at("Extra data", end))
    }
}

/// As Python's stream reader: what is cut off at the end is waited for, and never comes.
fn utf8(body: &[u8]) -> Result<String, String> {
    let error = match std::str::from_utf8(body) {
        Ok(text) => return Ok(text.to_owned()),
        Err(error) => error,
    };
    let at = error.valid_up_to();
    let Some(length) = error.error_len() else {
        return Ok(String::from_utf8_lossy(&body[..at]).into_owned());
    };
    let first = body[at];
    let why = if matches!(first, 0x80..=0xc1 | 0xf5..) {
        "invalid start byte"
    } else {
        "invalid continuation byte"
    };
    Err(if length == 1 {
        format!("'utf-8' codec can't decode byte 0x{first:02x} in position {at}: {why}")
    } else {
        let last = at + length - 1;
        format!("'utf-8' codec can't decode bytes in position {at}-{last}: {why}")
    })
}

struct Reader {
    text: Vec<char>,
}

type Found<T> = Result<(T, usize), String>;

impl Reader {
    fn at(&self, what: &str, position: usize) -> String {
        let before = &self.text[..position.min(self.text.len())];
        let line = before.iter().filter(|c| **c == '\n').count() + 1;
        let column = match before.iter().rposition(|c| *c == '\n') {
            Some(newline) => position - newline,
            None => position + 1,
        };
        format!("{what}: line {line} column {column} (char {position})")
    }

    fn is(&self, position: usize, c: char) -> bool {
        self.text.get(position) == Some(&c)
    }

    fn blank(&self, mut position: usize) -> usize {
        while matches!(self.text.get(position), Some(' ' | '\t' | '\n' | '\r')) {
            position += 1;
        }
        position
    }

    fn has(&self, position: usize, word: &str) -> bool {
        let mut rest = self.text[position.min(self.text.len())..].iter();
        word.chars().all(|c| rest.next() == Some(&c))
    }

    fn value(&self, position: usize, depth: usize) -> Found<Value> {
        let words = [
            ("null", Value::Null),
            ("true", Value::Bool),
            ("false", Value::Bool),
        ];
        match self.text.get(position) {
            Some('"') => {
                let (text, end) = self.string(position)?;
                Ok((Value::Text(text), end))
            }
            Some('{' | '[') if depth == DEEPEST => Err(self.at("Nested too deeply", position)),
            Some('{') => self.object(position + 1, depth + 1),
            Some('[') => self.list(position + 1, depth + 1),
            _ => {
                for (word, value) in words {
                    if self.has(position, word) {
                        return Ok((value, position + word.len()));
                    }
                }
                for word in ["NaN", "Infinity", "-Infinity"] {
                    if self.has(position, word) {
                        return Err(format!(
                            "Out of range float values are not JSON compliant: '{word}'"
                        ));
                    }
                }
                self.number(position)
            }
        }
    }

    fn digits(&self, mut position: usize) -> usize {
        while self.text.get(position).is_some_and(char::is_ascii_digit) {
            position += 1;
        }
        position
    }

    fn number(&self, start: usize) -> Found<Value> {
        let first = if self.is(start, '-') { start + 1 } else { start };
        let mut end = match self.text.get(first) {
            Some('0') => first + 1,
            Some('1'..='9') => self.digits(first),
            _ => return Err(self.at("Expecting value", start)),
        };
        let mut is_float = false;
        if self.is(end, '.') && self.digits(end + 1) > end + 1 {
            (end, is_float) = (self.digits(end + 1), true);
        }
        if self.is(end, 'e') || self.is(end, 'E') {
            let sign = usize::from(self.is(end + 1, '+') || self.is(end + 1, '-'));
            let exponent = end + 1 + sign;
            if self.digits(exponent) > exponent {
                (end, is_float) = (self.digits(exponent), true);
            }
        }
        let text: String = self.text[start..end].iter().collect();
        if !is_float {
            let text = if text == "-0" { "0".to_owned() } else { text };
            return Ok((Value::Int(text), end));
        }
        let number: f64 = text.parse().unwrap_or(f64::NAN);
        Ok((Value::Float(format!("{number:?}")), end))
    }

    fn object(&self, position: usize, depth: usize) -> Found<Value> {
        let mut members = Vec::new();
        let mut at = self.blank(position);
        if self.is(at, '}') {
            return Ok((Value::Dict(members), at + 1));
        }
        loop {
            if !self.is(at, '"') {
                return Err(self.at("Expecting property name enclosed in double quotes", at));
            }
            let (name, end) = self.string(at)?;
            at = self.blank(end);
            if !self.is(at, ':') {
                return Err(self.at("Expecting ':' delimiter", at));
            }
            let (value, end) = self.value(self.blank(at + 1), depth)?;
            members.push((name.text, value));
            at = self.blank(end);
            if self.is(at, '}') {
                return Ok((Value::Dict(members), at + 1));
            }
            if !self.is(at, ',') {
                return Err(self.at("Expecting ',' delimiter", at));
            }
            at = self.blank(at + 1);
        }
    }

    fn list(&self, position: usize, depth: usize) -> Found<Value> {
        let mut at = self.blank(position);
        if self.is(at, ']') {
            return Ok((Value::List, at + 1));
        }
        loop {
            let (_, end) = self.value(at, depth)?;
            at = self.blank(end);
            if self.is(at, ']') {
                return Ok((Value::List, at + 1));
            }
            if !self.is(at, ',') {
                return Err(self.at("Expecting ',' delimiter", at));
            }
            at = self.blank(at + 1);
        }
    }

    /// From its opening quote.
    fn string(&self, quote: usize) -> Found<Text> {
        let unterminated = || self.at("Unterminated string starting at", quote);
        let mut found = Text::default();
        let mut at = quote + 1;
        loop {
            let c = *self.text.get(at).ok_or_else(unterminated)?;
            match c {
                '"' => return Ok((found, at + 1)),
                '\\' => {}
                '\0'..='\u{1f}' => return Err(self.at("Invalid control character at", at)),
                _ => {
                    found.text.push(c);
                    at += 1;
                    continue;
                }
            }
            let escaped = *self.text.get(at + 1).ok_or_else(unterminated)?;
            if escaped == 'u' {
                at = self.escape(at, &mut found)?;
                continue;
            }
            found.text.push(match escaped {
                '"' | '\\' | '/' => escaped,
                'b' => '\u{8}',
                'f' => '\u{c}',
                'n' => '\n',
                'r' => '\r',
                't' => '\t',
                _ => return Err(self.at("Invalid \\escape", at)),
            });
            at += 2;
        }
    }

    /// `\uXXXX`, and the second half of a pair if it follows; where it ends.
    fn escape(&self, backslash: usize, found: &mut Text) -> Result<usize, String> {
        let wrong = |u: usize| self.at("Invalid \\uXXXX escape", u);
        let end = backslash + 6;
        let unit = self.four(backslash + 2).filter(|_| end < self.text.len());
        let unit = unit.ok_or_else(|| wrong(backslash + 1))?;
        if let Some(c) = char::from_u32(unit) {
            found.text.push(c);
            return Ok(end);
        }
        if (0xd800..0xdc00).contains(&unit) && self.has(end, "\\u") && end + 6 < self.text.len() {
            let second = self.four(end + 2).ok_or_else(|| wrong(end + 1))?;
            if (0xdc00..0xe000).contains(&second) {
                let pair = 0x1_0000 + ((unit - 0xd800) << 10) + (second - 0xdc00);
                found.text.extend(char::from_u32(pair));
                return Ok(end + 6);
            }
        }
        found.surrogate.get_or_insert(unit);
        found.text.push(char::REPLACEMENT_CHARACTER);
        Ok(end)
    }

    fn four(&self, at: usize) -> Option<u32> {
        let digits = self.text.get(at..at + 4)?;
        digits
            .iter()
            .try_fold(0, |unit, digit| Some(unit * 16 + digit.to_digit(16)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What Python 3.11 said, through Django REST framework.
    #[test]
    fn every_fault_has_pythons_words() {
        for (body, said) in [
            (
                "{",
                "Expecting property name enclosed in double quotes: line 1 column 2 (char 1)",
            ),
            ("{\"refresh\":\"a\"} x", "Extra data: line 1 column 17 (char 16)"),
            (
                "{\"refresh\":NaN}",
                "Out of range float values are not JSON compliant: 'NaN'",
            ),
            (
                "{\"refresh\":\"a\nb\"}",
                "Invalid control character at: line 1 column 14 (char 13)",
            ),
            (
                "{\"refresh\":\"\\x\"}",
                "Invalid \\escape: line 1 column 13 (char 12)",
            ),
            (
                "{\"refresh\":\"\\u12\"}",
                "Invalid \\uXXXX escape: line 1 column 14 (char 13)",
            ),
            (
                "{\"refresh\":\"abc",
                "Unterminated string starting at: line 1 column 12 (char 11)",
            ),
            (
                "{\"refresh\" 1}",
                "Expecting ':' delimiter: line 1 column 12 (char 11)",
            ),
            (
                "{\"refresh\":1,}",
                "Expecting property name enclosed in double quotes: line 1 column 14 (char 13)",
            ),
            (
                "{\"refresh\":1 \"b\":2}",
                "Expecting ',' delimiter: line 1 column 14 (char 13)",
            ),
            ("[1,]", "Expecting value: line 1 column 4 (char 3)"),
            ("{\"a\":1", "Expecting ',' delimiter: line 1 column 7 (char 6)"),
            ("[", "Expecting value: line 1 column 2 (char 1)"),
            ("[1", "Expecting ',' delimiter: line 1 column 3 (char 2)"),
            ("  ", "Expecting value: line 1 column 3 (char 2)"),
            ("\n -", "Expecting value: line 2 column 2 (char 2)"),
            ("01", "Extra data: line 1 column 2 (char 1)"),
            ("1e", "Extra data: line 1 column 2 (char 1)"),
            ("nul", "Expecting value: line 1 column 1 (char 0)"),
            (
                "\u{feff}{}",
                "Unexpected UTF-8 BOM (decode using utf-8-sig): line 1 column 1 (char 0)",
            ),
            (
                "\"\\",
                "Unterminated string starting at: line 1 column 1 (char 0)",
            ),
            ("\"\\u", "Invalid \\uXXXX escape: line 1 column 3 (char 2)"),
        ] {
            assert_eq!(parse(body.as_bytes(), None), Err(said.to_owned()), "{body:?}");
        }
        for (body, said) in [
            (
                &b"\xff{}"[..],
                "'utf-8' codec can't decode byte 0xff in position 0: invalid start byte",
            ),
            (
                b"{\"a\":\"\xe2\x82\"}",
                "'utf-8' codec can't decode bytes in position 6-7: invalid continuation byte",
            ),
            (
                b"\xed\xa0\x80",
                "'utf-8' codec can't decode byte 0xed in position 0: invalid continuation byte",
            ),
            (
                b"\"\xe2\x82",
                "Unterminated string starting at: line 1 column 1 (char 0)",
            ),
        ] {
            assert_eq!(parse(body, None), Err(said.to_owned()), "{body:?}");
        }
    }

    #[test]
    fn pairs_are_joined_and_halves_kept_apart() {
        let text = |body: &str| match parse(body.as_bytes(), None) {
            Ok(Value::Text(text)) => text,
            other => panic!("{other:?}"),
        };
        assert_eq!(text(r#""\ud83d\ude00""#).text, "\u{1f600}");
        assert_eq!(text(r#""\ud800x""#).surrogate, Some(0xd800));
        assert_eq!(text(r#""\ud800\u0041""#).text, "\u{fffd}A");
    }
}
