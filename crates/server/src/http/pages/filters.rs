//! What templates of pages can do beyond the engine's own.

use gatepost_mail::words;
use jiff::Timestamp;
use minijinja::value::{Kwargs, Value};
use minijinja::{Environment, Error, ErrorKind, HtmlEscape, State};

use super::{Lang, strings};
use crate::auth::device::Device;

pub(super) fn add(env: &mut Environment<'static>) {
    env.add_function("t", t);
    env.add_filter("fault", fault);
    env.add_filter("moment", moment);
    env.add_filter("duration", duration);
    env.add_filter("ago", ago);
    env.add_filter("device", device);
    env.add_filter("addresses", addresses);
    env.add_filter("urlencode", urlencode);
    env.add_filter("prose", prose);
}

fn lang(state: &State<'_, '_>) -> Lang {
    state
        .lookup("lang")
        .and_then(|value| Lang::from_tag(value.as_str()?))
        .unwrap_or_default()
}

/// `{{ t("register.title") }}`, `{{ t("check.registered", email=email) }}`: the sentence of that name.
#[expect(clippy::needless_pass_by_value, reason = "the engine hands it over so")]
fn t(state: &State<'_, '_>, key: &str, gaps: Kwargs) -> Result<String, Error> {
    let mut text = strings::get(lang(state), key)
        .ok_or_else(|| Error::new(ErrorKind::InvalidOperation, format!("no words for `{key}`")))?
        .to_owned();
    for name in gaps.args() {
        let value: Value = gaps.get(name)?;
        text = text.replace(&format!("{{{name}}}"), &value.to_string());
    }
    gaps.assert_all_used()?;
    Ok(text)
}

/// `{{ fault | fault }}`: its code in words.
fn fault(state: &State<'_, '_>, fault: &Value) -> Result<String, Error> {
    let code = fault.get_attr("code")?;
    let field = fault.get_attr("field")?;
    let min = fault.get_attr("min")?;
    let lang = lang(state);
    // The same code may need other words beside another field.
    let words = strings::get(lang, &format!("fault.{field}.{code}"))
        .or_else(|| strings::get(lang, &format!("fault.{code}")));
    match words {
        Some(words) => Ok(words.replace("{min}", &min.to_string())),
        None => Ok(fault.get_attr("detail")?.to_string()),
    }
}

fn moment(state: &State<'_, '_>, at: &str) -> Result<String, Error> {
    Ok(words::moment(time(at)?, lang(state).as_str()))
}

fn duration(state: &State<'_, '_>, seconds: u64) -> String {
    words::duration(seconds, lang(state).as_str())
}

/// `{{ at | ago(now) }}`: in whole minutes, hours or days.
fn ago(state: &State<'_, '_>, at: &str, now: &str) -> Result<String, Error> {
    let seconds = time(now)?.as_second() - time(at)?.as_second();
    let seconds = u64::try_from(seconds).unwrap_or(0);
    let lang = lang(state);
    let unit = match seconds {
        0..60 => return Ok(strings::get(lang, "time.now").unwrap_or_default().to_owned()),
        60..3600 => 60,
        3600..86_400 => 3600,
        _ => 86_400,
    };
    // 24 hours are a day to `duration`, and 60 minutes an hour, which is what is wanted here.
    let whole = words::duration(seconds / unit * unit, lang.as_str());
    let pattern = strings::get(lang, "time.ago").unwrap_or("{duration}");
    Ok(pattern.replace("{duration}", &whole))
}

fn time(text: &str) -> Result<Timestamp, Error> {
    text.parse()
        .map_err(|_| Error::new(ErrorKind::InvalidOperation, "not an RFC 3339 time"))
}

/// A `User-Agent` in two words: `Firefox, Linux`. What is not known is cut short.
fn device(agent: &str) -> String {
    match Device::of(agent) {
        Device {
            app: Some(app),
            system: Some(system),
        } => format!("{app}, {system}"),
        Device { app: Some(known), .. } => known.to_owned(),
        _ => agent.chars().take(40).collect(),
    }
}

/// The addresses that stand alone on a line of a letter's text, as ours do.
fn addresses(text: &str) -> Vec<String> {
    text.lines()
        .map(str::trim)
        .filter(|line| line.starts_with("https://") || line.starts_with("http://"))
        .filter(|line| !line.contains(char::is_whitespace))
        .map(ToOwned::to_owned)
        .collect()
}

/// Text with `code` in it, as HTML.
fn prose(text: &str) -> Value {
    let escaped = HtmlEscape(text).to_string();
    let parts: Vec<&str> = escaped.split('`').collect();
    // A last one that nothing closes is a backtick.
    let paired = (parts.len() - 1) / 2 * 2;
    let mut html = String::with_capacity(escaped.len());
    for (at, part) in parts.into_iter().enumerate() {
        html.push_str(match at {
            0 => "",
            _ if at > paired => "`",
            _ if at % 2 == 1 => "<code>",
            _ => "</code>",
        });
        html.push_str(part);
    }
    Value::from_safe_string(html)
}

/// For a value in a query, RFC 3986 2.3.
fn urlencode(text: &str) -> String {
    use std::fmt::Write as _;
    text.bytes().fold(String::new(), |mut out, byte| {
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
    fn devices_are_told_in_two_words() {
        let firefox = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";
        assert_eq!(device(firefox), "Firefox, Linux");
        let edge =
            "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/140 Safari/537.36 Edg/140";
        assert_eq!(device(edge), "Edge, Windows");
        let iphone = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605 Version/18 Mobile Safari/604";
        assert_eq!(device(iphone), "Safari, iPhone");
        assert_eq!(device("curl/8.9"), "curl");
        assert_eq!(device("fridge/1"), "fridge/1");
        assert_eq!(device(&"ы".repeat(500)).chars().count(), 40);
    }

    #[test]
    fn backticks_are_code_and_everything_else_is_text() {
        let html = |text| prose(text).to_string();
        assert_eq!(html("a `b<c` d `e`"), "a <code>b&lt;c</code> d <code>e</code>");
        assert_eq!(html("one ` alone, <i>"), "one ` alone, &lt;i&gt;");
        assert_eq!(html("`a` `"), "<code>a</code> `");
        assert_eq!(html("plain"), "plain");
    }

    #[test]
    fn a_value_in_a_query_stays_one_value() {
        assert_eq!(urlencode("a b&c=д"), "a%20b%26c%3D%D0%B4");
    }
}
