//! A look over a JSON text before it is parsed: how deep it goes, and whether it holds U+0000.
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
}

/// Look over `text` once, without allocating.
pub(crate) fn scan(text: &[u8]) -> Finding {
    let (mut depth, mut in_string, mut at) = (0_usize, false, 0);
    while let Some(&byte) = text.get(at) {
        at += 1;
        match (in_string, byte) {
            (true, b'\\') => {
                if text[at..].starts_with(b"u0000") {
                    return Finding::Nul;
                }
                at += 1;
            }
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
    Finding::Fine
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
}
