//! What templates of letters can do beyond the engine's own: `moment`, `duration`, `safe_url`,
//! `paragraphs`.

use std::fmt::Write as _;

use jiff::Timestamp;
use minijinja::value::ValueKind;
use minijinja::{AutoEscape, Environment, Error, ErrorKind, Output, State, Value, escape_formatter};

use crate::words;

pub(crate) fn add(env: &mut Environment<'static>) {
    env.add_filter("moment", moment);
    env.add_filter("duration", duration);
    env.add_filter("safe_url", safe_url);
    env.add_filter("paragraphs", paragraphs);
    env.set_formatter(format);
}

/// `{{ asked_at | moment }}`: an RFC 3339 time in the reader's words.
fn moment(state: &State<'_, '_>, at: &str) -> Result<String, Error> {
    let at: Timestamp = at
        .parse()
        .map_err(|_| refused("moment: the value is not an RFC 3339 time"))?;
    Ok(words::moment(at, &locale(state)))
}

/// `{{ lifetime | duration }}`: a number of seconds in the reader's words.
fn duration(state: &State<'_, '_>, seconds: u64) -> String {
    words::duration(seconds, &locale(state))
}

fn locale(state: &State<'_, '_>) -> String {
    state
        .lookup("locale")
        .and_then(|value| value.as_str().map(ToOwned::to_owned))
        .unwrap_or_default()
}

/// `{{ link | safe_url }}`: the address itself if it is `http`, `https` or `mailto` and one word;
/// else the letter is refused. Nothing that runs (`javascript:`, `data:`) gets into a letter.
fn safe_url(url: &str) -> Result<String, Error> {
    let known = ["http://", "https://", "mailto:"].iter().any(|scheme| {
        url.get(..scheme.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(scheme))
            && url.len() > scheme.len()
    });
    if !known || url.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return Err(refused(
            "safe_url: an address in a letter starts with http://, https:// or mailto: and holds no spaces",
        ));
    }
    Ok(url.to_owned())
}

/// `{% for paragraph in message | paragraphs %}`: plain text cut at its blank lines; each a list of
/// its lines.
fn paragraphs(text: &str) -> Vec<Vec<String>> {
    let mut all: Vec<Vec<String>> = vec![Vec::new()];
    for line in text.lines().map(str::trim_end) {
        match all.last_mut() {
            Some(last) if !line.is_empty() => last.push(line.to_owned()),
            Some(last) if !last.is_empty() => all.push(Vec::new()),
            _ => {}
        }
    }
    all.retain(|lines| !lines.is_empty());
    all
}

fn refused(reason: &'static str) -> Error {
    Error::new(ErrorKind::InvalidOperation, reason)
}

/// The engine's escaping, without its `&#x2f;` for every slash: that is of no use in HTML, and
/// breaks programs that look for addresses in a letter's source.
fn format(out: &mut Output<'_>, state: &mut State<'_, '_>, value: &Value) -> Result<(), Error> {
    if *state.auto_escape() != AutoEscape::Html || value.kind() != ValueKind::String || value.is_safe() {
        return escape_formatter(out, state, value);
    }
    for c in value.as_str().unwrap_or_default().chars() {
        match c {
            '<' => out.write_str("&lt;")?,
            '>' => out.write_str("&gt;")?,
            '&' => out.write_str("&amp;")?,
            '"' => out.write_str("&quot;")?,
            '\'' => out.write_str("&#39;")?,
            other => out.write_char(other)?,
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_that_open_a_page_or_a_mail_pass() {
        for good in ["https://x.test/a?b=c&d=e", "HTTP://x.test", "mailto:a@x.test"] {
            assert_eq!(safe_url(good).unwrap(), good);
        }
        for bad in [
            "",
            "https://",
            "javascript:alert(1)",
            " javascript:alert(1)",
            "JaVaScRiPt:alert(1)",
            "data:text/html,x",
            "//x.test",
            "/login",
            "https://x.test/a b",
            "https://x.test/\r\nBcc: a@x.test",
        ] {
            assert!(safe_url(bad).is_err(), "{bad:?} passed");
        }
    }

    #[test]
    fn paragraphs_end_at_blank_lines() {
        assert_eq!(
            paragraphs("one\r\ntwo\n\n \nthree\n"),
            vec![vec!["one".to_owned(), "two".into()], vec!["three".into()]]
        );
        assert!(paragraphs("  \n").is_empty());
    }
}
