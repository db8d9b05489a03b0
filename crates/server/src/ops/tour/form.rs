//! The button of a hosted page, read out of its HTML as a browser without JavaScript reads it.

use super::report::Unmet;

/// The first form of a page that is sent by POST.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Form {
    /// Where it goes; empty for the page's own address.
    pub(super) action: String,
    inputs: Vec<Input>,
}

#[derive(Debug, PartialEq, Eq)]
struct Input {
    name: String,
    kind: String,
    value: String,
}

impl Form {
    /// Finds it.
    pub(super) fn of(page: &str) -> Result<Self, Unmet> {
        for (attributes, rest) in tags(page, "form") {
            if !value(&attributes, "method").eq_ignore_ascii_case("post") {
                continue;
            }
            let inside = rest.split("</form").next().unwrap_or(rest);
            let mut inputs: Vec<_> = tags(inside, "input")
                .map(|(a, _)| Input::of(&a, "text"))
                .collect();
            // Pressing a button sends its name too; the first is the one that the page is for.
            inputs.extend(
                tags(inside, "button")
                    .map(|(a, _)| Input::of(&a, "submit"))
                    .take(1),
            );
            inputs.retain(|input| !input.name.is_empty());
            return Ok(Self {
                action: value(&attributes, "action"),
                inputs,
            });
        }
        Err(Unmet::new(
            "a page with a button",
            format!("{} bytes without a form that posts", page.len()),
        ))
    }

    /// What a browser sends: hidden inputs as they are, password inputs filled with `password`.
    pub(super) fn filled(&self, password: &str) -> Vec<(String, String)> {
        let unchecked = |input: &&Input| !matches!(input.kind.as_str(), "checkbox" | "radio");
        self.inputs
            .iter()
            .filter(unchecked)
            .map(|input| {
                let text = if input.kind == "password" {
                    password
                } else {
                    &input.value
                };
                (input.name.clone(), text.to_owned())
            })
            .collect()
    }
}

impl Input {
    fn of(attributes: &[(String, String)], kind: &str) -> Self {
        let given = value(attributes, "type");
        let kind = if given.is_empty() {
            kind.to_owned()
        } else {
            given.to_ascii_lowercase()
        };
        Self {
            name: value(attributes, "name"),
            kind,
            value: value(attributes, "value"),
        }
    }
}

fn value(attributes: &[(String, String)], name: &str) -> String {
    attributes
        .iter()
        .find(|(n, _)| n == name)
        .map(|(_, v)| v.clone())
        .unwrap_or_default()
}

/// Every start tag `<name ...>`: its attributes, and the page after it.
fn tags<'a>(page: &'a str, name: &'a str) -> impl Iterator<Item = (Vec<(String, String)>, &'a str)> {
    page.match_indices('<').filter_map(move |(at, _)| {
        let rest = page.get(at + 1..)?;
        let head = rest.get(..name.len())?;
        let after = rest.get(name.len()..)?;
        let ends = after.starts_with(|c: char| c.is_ascii_whitespace() || c == '>' || c == '/');
        (head.eq_ignore_ascii_case(name) && ends).then(|| attributes(after))
    })
}

/// The attributes up to the `>` of this tag, and what follows it.
fn attributes(mut rest: &str) -> (Vec<(String, String)>, &str) {
    let mut found = Vec::new();
    loop {
        rest = rest.trim_start_matches(|c: char| c.is_ascii_whitespace() || c == '/');
        if rest.is_empty() {
            return (found, rest);
        }
        if let Some(after) = rest.strip_prefix('>') {
            return (found, after);
        }
        let end = rest
            .find(|c: char| c.is_ascii_whitespace() || "=>/".contains(c))
            .unwrap_or(rest.len());
        // A stray character that starts no name must not stop the reading.
        let (name, after) = rest.split_at(end.max(rest.chars().next().map_or(1, char::len_utf8)));
        let after = after.trim_start();
        let (text, after) = match after.strip_prefix('=') {
            Some(after) => quoted(after.trim_start()),
            None => ("", after),
        };
        found.push((name.to_ascii_lowercase(), unescape(text)));
        rest = after;
    }
}

/// An attribute's value, quoted or not, and what follows it.
fn quoted(rest: &str) -> (&str, &str) {
    for quote in ['"', '\''] {
        if let Some(inside) = rest.strip_prefix(quote) {
            return inside.split_once(quote).unwrap_or((inside, ""));
        }
    }
    rest.split_at(
        rest.find(|c: char| c.is_ascii_whitespace() || c == '>')
            .unwrap_or(rest.len()),
    )
}

/// Character references that a template engine writes: the named five, and numbers.
fn unescape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('&') {
        out.push_str(before);
        let read = after
            .split_once(';')
            .and_then(|(name, tail)| Some((reference(name)?, tail)));
        if let Some((c, tail)) = read {
            out.push(c);
            rest = tail;
        } else {
            out.push('&');
            rest = after;
        }
    }
    out.push_str(rest);
    out
}

fn reference(name: &str) -> Option<char> {
    match name {
        "amp" => Some('&'),
        "lt" => Some('<'),
        "gt" => Some('>'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        _ => {
            let number = name.strip_prefix('#')?;
            let code = match number.strip_prefix(['x', 'X']) {
                Some(hex) => u32::from_str_radix(hex, 16).ok()?,
                None => number.parse().ok()?,
            };
            char::from_u32(code)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_posting_form_is_found_and_filled() {
        let page = r#"<form action=/search><input name=q></form>
            <form class="card" method="post" action="/reset-password?a=1&amp;b=&#x2F;">
              <input type="hidden" name="token" value="a&quot;b"/><input type=checkbox name=keep>
              <input name='password' type='password' required><button type="submit">Go</button>
            </form><form method=post action=/no><input name=other></form>"#;
        let form = Form::of(page).unwrap();
        assert_eq!(form.action, "/reset-password?a=1&b=/");
        let sent: Vec<_> = form
            .filled("s3cret")
            .into_iter()
            .map(|(n, v)| format!("{n}:{v}"))
            .collect();
        assert_eq!(sent, ["token:a\"b", "password:s3cret"]);
    }

    #[test]
    fn a_page_without_a_button_is_told() {
        assert!(Form::of("<p>nothing <form method=get></form> <").is_err());
    }
}
