//! The second guard: what looks like a secret or an address does not get into a log.

use std::borrow::Cow;

/// A run of letters, digits, `-` and `_` this long with small and capital letters and digits is taken for a token
/// or a key. An id (36), a hash in hex (no capitals) and a path are not.
const LONG: usize = 40;

/// The line with addresses masked (`u***@e***.com`), tokens, keys and passwords of URLs left out.
pub(super) fn redact(line: &[u8]) -> Cow<'_, [u8]> {
    let mut out: Vec<u8> = Vec::new();
    // Up to where `line` is in `out` already.
    let mut done = 0;
    let mut at = 0;
    while at < line.len() {
        let byte = line[at];
        if byte == b'@' {
            if let Some((from, to, masked)) = address(line, at, done) {
                out.extend_from_slice(&line[done..from]);
                out.extend_from_slice(&masked);
                (done, at) = (to, to);
                continue;
            }
        } else if is_word(byte) && (at == 0 || !is_word(line[at - 1])) {
            let end = at + line[at..].iter().take_while(|b| is_word(**b)).count();
            if let Some(to) = secret(line, at, end) {
                out.extend_from_slice(&line[done..at]);
                out.extend_from_slice(b"***");
                (done, at) = (to, to);
                continue;
            }
        }
        at += 1;
    }
    if done == 0 {
        return Cow::Borrowed(line);
    }
    out.extend_from_slice(&line[done..]);
    Cow::Owned(out)
}

/// The end of the secret that starts with this word, if it is one.
fn secret(line: &[u8], start: usize, end: usize) -> Option<usize> {
    let word = &line[start..end];
    let is_jwt = word.starts_with(b"eyJ") && word.len() > 10;
    let is_key = word.starts_with(b"gp_") && word.len() > 18;
    let is_long = word.len() >= LONG
        && word.iter().any(u8::is_ascii_digit)
        && word.iter().any(u8::is_ascii_uppercase)
        && word.iter().any(u8::is_ascii_lowercase);
    let is_value = ["token=", "password=", "secret=", "key="]
        .iter()
        .any(|name| line[..start].ends_with(name.as_bytes()));
    if !(is_jwt || is_key || is_long || is_value) {
        return None;
    }
    // The other parts of a token: `.eyJ...`, `.signature`.
    let rest = line[end..]
        .iter()
        .take_while(|b| is_word(**b) || (is_jwt && **b == b'.'))
        .count();
    Some(end + rest)
}

/// From where to where an address stands around this `@`, and what to write instead. `floor`: what is before has
/// been written already.
fn address(line: &[u8], at: usize, floor: usize) -> Option<(usize, usize, Vec<u8>)> {
    let local = line[floor..at].iter().rev().take_while(|b| is_local(**b)).count();
    let domain = line[at + 1..]
        .iter()
        .take_while(|b| is_word(**b) || **b == b'.' || !b.is_ascii())
        .count();
    if local == 0 || domain == 0 {
        return None;
    }
    let (from, to) = (at - local, at + 1 + domain);
    let host = &line[at + 1..to];
    let mut masked = first_letter(&line[from..at]);
    masked.extend_from_slice(b"***@");
    masked.extend(first_letter(host));
    masked.extend_from_slice(b"***");
    if let Some(dot) = host.iter().rposition(|b| *b == b'.') {
        masked.extend_from_slice(&host[dot..]);
    }
    Some((from, to, masked))
}

/// The first character, whole: half of one would make the line no UTF-8.
fn first_letter(bytes: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(bytes);
    text.chars()
        .next()
        .filter(|c| *c != char::REPLACEMENT_CHARACTER)
        .map(String::from)
        .unwrap_or_default()
        .into()
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-'
}

/// What may stand before the `@`: of RFC 5322's signs those that a log line does not put around an address.
fn is_local(byte: u8) -> bool {
    is_word(byte) || matches!(byte, b'.' | b'%' | b'+' | b'!' | b'#' | b'$' | b'&' | b'~') || !byte.is_ascii()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(text: &str) -> String {
        String::from_utf8(redact(text.as_bytes()).into_owned()).unwrap()
    }

    #[test]
    fn addresses_are_masked() {
        assert_eq!(line("sent to user@example.com, ok"), "sent to u***@e***.com, ok");
        assert_eq!(line("{\"to\":\"анна@пример.рф\"}"), "{\"to\":\"а***@п***.рф\"}");
        assert_eq!(
            line("a+b.c@mail.example.co.uk root@localhost"),
            "a***@m***.uk r***@l***"
        );
        assert_eq!(line("postgres://app:hunter2@db/x"), "postgres://app:h***@d***/x");
        assert_eq!(line("two@a.b@c.d"), "t***@a***.b@c.d");
    }

    #[test]
    fn tokens_and_keys_are_left_out() {
        let jwt = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.sig-_nature";
        assert_eq!(line(&format!("got {jwt}, refused")), "got ***, refused");
        assert_eq!(line("Bearer gp_0123456789abcdefghijABCDEF"), "Bearer ***");
        assert_eq!(line("GET /activate?token=abc&x=1"), "GET /activate?token=***&x=1");
        let random = "aB3_".repeat(11);
        assert_eq!(line(&format!("\"{random}\"")), "\"***\"");
    }

    #[test]
    fn what_is_needed_to_search_stays() {
        for plain in [
            "id 0198c0de-7e57-7000-8000-0123456789ab done in 12 ms",
            "sha 5e884898da28047151d0e56f8dc6292773603d0d6aabbdd62a11ef721d1542d8",
            "crates/server/src/config/read_tokens.rs:12 refresh_token_rotation_is_guarded_by_its_row",
            "token refused @ the door",
        ] {
            assert_eq!(line(plain), plain);
            assert!(matches!(redact(plain.as_bytes()), Cow::Borrowed(_)));
        }
    }
}
