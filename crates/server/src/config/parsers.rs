//! Small values: addresses, networks, words out of a list.

use gatepost_mail::EmailAddress;

use super::PublicUrl;
use super::reader::{Reader, Seen};

pub(crate) fn some(text: String) -> Option<String> {
    (!text.is_empty()).then_some(text)
}

pub(crate) fn not_empty(text: &str) -> Result<String, String> {
    if text.is_empty() {
        Err("must not be empty".to_owned())
    } else {
        Ok(text.to_owned())
    }
}

/// `None` for a problem, `Some(None)` for empty.
#[expect(
    clippy::option_option,
    reason = "wrong, not set and set are three things here, gone one function further up"
)]
pub(crate) fn optional<T>(
    r: &mut Reader,
    key: &str,
    seen: Seen,
    parse: impl Fn(&str) -> Result<T, String>,
) -> Option<Option<T>> {
    r.parsed(key, seen, |text| {
        if text.is_empty() {
            Ok(None)
        } else {
            parse(text).map(Some)
        }
    })
}

/// An address with room for a tag behind a `+` in its local part.
pub(crate) fn bounce_address(text: &str) -> Result<EmailAddress, String> {
    let address: EmailAddress = text
        .parse()
        .map_err(|error: gatepost_mail::AddressError| error.to_string())?;
    if gatepost_mail::verp::takes_tags(&address) {
        Ok(address)
    } else {
        Err(
            "must have an ASCII local part of at most 20 characters without a +: a tag of 42 follows it"
                .to_owned(),
        )
    }
}

pub(crate) fn items<T>(
    r: &mut Reader,
    key: &str,
    parse: impl Fn(&str) -> Result<T, String>,
) -> Option<Vec<T>> {
    let texts = r.list(key, Seen::Whole)?;
    match texts.iter().map(|text| parse(text)).collect() {
        Ok(items) => Some(items),
        Err(why) => {
            r.problem(key, why);
            None
        }
    }
}

pub(crate) fn one_of<T: Copy>(text: &str, choices: &[(&str, T)]) -> Result<T, String> {
    choices
        .iter()
        .find(|(name, _)| *name == text)
        .map(|(_, value)| *value)
        .ok_or_else(|| {
            let names: Vec<String> = choices.iter().map(|(name, _)| format!("{name:?}")).collect();
            format!("{text:?} is not one of {}", names.join(", "))
        })
}

pub(crate) fn address(text: &str) -> Result<std::net::SocketAddr, String> {
    text.parse()
        .map_err(|_| format!("{text:?} is not an address and port; write 127.0.0.1:8080 or [::1]:8080"))
}

pub(crate) fn network(text: &str) -> Result<ipnet::IpNet, String> {
    text.parse()
        .or_else(|_| text.parse::<std::net::IpAddr>().map(ipnet::IpNet::from))
        .map_err(|_| format!("{text:?} is not a network; write 10.0.0.0/8"))
}

pub(crate) fn origin(text: &str) -> Result<String, String> {
    let url = PublicUrl::parse(text).map_err(|why| format!("{text:?} {why}"))?;
    let host = url
        .as_str()
        .split_once("://")
        .map(|(_, host)| host)
        .unwrap_or_default();
    if host.contains(['/', '*']) || text.ends_with('/') {
        return Err(format!(
            "{text:?} is not an origin; write https://app.example.com, exactly, without a path"
        ));
    }
    Ok(text.to_ascii_lowercase())
}

pub(crate) fn identifier(text: &str) -> Result<String, String> {
    let good = !text.is_empty()
        && text.len() <= 40
        && text.starts_with(|c: char| c.is_ascii_lowercase() || c == '_')
        && text
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
    if good {
        Ok(text.to_owned())
    } else {
        Err(format!(
            "{text:?} must be small letters, digits and _, a letter first, at most 40"
        ))
    }
}

/// The address itself is checked by the mail crate; here only what would break a header.
pub(crate) fn sender(text: &str) -> Result<String, String> {
    let address = text
        .rsplit_once('<')
        .map_or(text, |(_, rest)| rest.trim_end_matches('>'));
    if text.chars().any(char::is_control) || !address.contains('@') || address.contains(char::is_whitespace) {
        return Err("must be an address: Gatepost <noreply@example.com>".to_owned());
    }
    Ok(text.to_owned())
}
