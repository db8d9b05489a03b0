//! A look over a JSON text before it is parsed: how deep it goes, and whether it holds what is no
//! text.
//!
//! Parsing first would already have spent what a deep body is sent to spend; and PostgreSQL's text cannot
//! hold U+0000, so that one let through would come back as a failure of the database.

/// How deep objects and lists may stand in one another.
pub(crate) const MAX_DEPTH: usize = 32;

/// What the look found.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Finding {
    /// Nothing against it.
    Fine,
    /// Deeper than [`MAX_DEPTH`].
    TooDeep,
    /// An escape `\u0000` in a string.
    Nul,
    /// Half of a surrogate pair: no character at all.
    Surrogate,
}

/// Look over `text` once, without allocating.
pub(crate) fn scan(text: &[u8]) -> Finding {
    let (mut depth, mut in_string, mut at) = (0_usize, false, 0);
    loop {
        if in_string {
            // Most of a text is in strings, a token's above all: on to what could end one.
            let rest = text.get(at..).unwrap_or_default();
            at += memchr::memchr2(b'"', b'\\', rest).unwrap_or(rest.len());
        }
        let Some(&byte) = text.get(at) else {
            return Finding::Fine;
        };
        at += 1;
        match (in_string, byte) {
            (true, b'\\') => match unit(text, at) {
                Some(0) => return Finding::Nul,
                Some(0xD800..0xDC00) => {
                    let low = text
                        .get(at + 5)
                        .filter(|byte| **byte == b'\\')
                        .and_then(|_| unit(text, at + 6));
                    if !matches!(low, Some(0xDC00..0xE000)) {
                        return Finding::Surrogate;
                    }
                    at += 11;
                }
                Some(0xDC00..0xE000) => return Finding::Surrogate,
                _ => at += 1,
            },
            (_, b'"') => in_string = !in_string,
            (false, b'{' | b'[') => {
                depth += 1;
                if depth > MAX_DEPTH {
                    return Finding::TooDeep;
                }
            }
            (false, b'}' | b']') => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
}

/// The code unit of an escape `uXXXX` that begins at `at`.
fn unit(text: &[u8], at: usize) -> Option<u16> {
    let digits = text.get(at..at + 5)?.strip_prefix(b"u")?;
    u16::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brackets_inside_strings_do_not_count() {
        let text = format!(r#"{{"a": "{}"}}"#, "[".repeat(100));
        assert_eq!(scan(text.as_bytes()), Finding::Fine);
    }

    #[test]
    fn the_thirty_third_level_is_too_deep() {
        assert_eq!(scan("[".repeat(32).as_bytes()), Finding::Fine);
        assert_eq!(scan("[".repeat(33).as_bytes()), Finding::TooDeep);
    }

    #[test]
    fn an_escaped_backslash_before_u0000_is_not_a_nul() {
        assert_eq!(scan(br#""\u0000""#), Finding::Nul);
        assert_eq!(scan(br#""\\u0000""#), Finding::Fine);
        assert_eq!(scan(br#""\"#), Finding::Fine);
    }

    #[test]
    fn half_a_pair_is_no_character_wherever_it_stands() {
        assert_eq!(scan(br#"{"x": "\ud83d\udc0e"}"#), Finding::Fine);
        for bad in [
            r#""\ud83d""#,
            r#""\udc0e""#,
            r#""\ud83d\n""#,
            r#""\ud83d\u0041""#,
            r#""\ud83d"#,
        ] {
            assert_eq!(scan(bad.as_bytes()), Finding::Surrogate, "{bad}");
        }
    }
}
