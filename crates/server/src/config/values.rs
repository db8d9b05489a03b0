//! Values with rules of their own: they can only be had by parsing.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// What links start with: `https://id.example.com`, with a path if there is one, without a slash at the end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicUrl(String);

impl PublicUrl {
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let rest = text
            .strip_prefix("https://")
            .or_else(|| text.strip_prefix("http://"));
        let Some(rest) = rest else {
            return Err("must start with https:// or http://".to_owned());
        };
        let host = rest.split('/').next().unwrap_or_default();
        if host.is_empty() || host.contains('@') || rest.contains(['?', '#']) || !is_plain(text) {
            return Err("must be a scheme, a host and perhaps a path: https://id.example.com".to_owned());
        }
        Ok(Self(text.trim_end_matches('/').to_owned()))
    }

    /// Where a browser on this machine reaches what listens there.
    pub(crate) fn of_bind(bind: SocketAddr) -> Self {
        let ip = match bind.ip() {
            ip if !ip.is_unspecified() => ip,
            IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::LOCALHOST),
            IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::LOCALHOST),
        };
        Self(format!("http://{}", SocketAddr::new(ip, bind.port())))
    }

    /// The URL.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The URL of a page: `path` starts with a slash.
    pub fn join(&self, path: &str) -> String {
        format!("{}{path}", self.0)
    }

    /// Whether browsers reach it over TLS: cookies are marked `Secure` then.
    pub fn is_https(&self) -> bool {
        self.0.starts_with("https://")
    }
}

impl fmt::Display for PublicUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A link with one place for the token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkTemplate {
    before: String,
    after: String,
}

impl LinkTemplate {
    pub(crate) fn parse(text: &str, public_url: &PublicUrl) -> Result<Self, String> {
        let text = text.replace("{public_url}", public_url.as_str());
        let Some((before, after)) = text.split_once("{token}") else {
            return Err("must hold {token}, where the token goes".to_owned());
        };
        if after.contains("{token}") {
            return Err("must hold {token} once".to_owned());
        }
        let scheme = before
            .split_once("://")
            .map(|(scheme, _)| scheme)
            .unwrap_or_default();
        let is_scheme = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
            && scheme
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'));
        if !is_scheme || !is_plain(before) || !is_plain(after) {
            return Err("must be a URL: https://app.example.com/activate?token={token}".to_owned());
        }
        Ok(Self {
            before: before.to_owned(),
            after: after.to_owned(),
        })
    }

    /// The link. Tokens are made of letters that need no escaping in a URL.
    pub fn with_token(&self, token: &str) -> String {
        format!("{}{token}{}", self.before, self.after)
    }

    pub(crate) fn rebase(&mut self, old: &PublicUrl, new: &PublicUrl) {
        if let Some(path) = self.before.strip_prefix(old.as_str()) {
            self.before = new.join(path);
        }
    }
}

/// Visible ASCII without quotes: goes into a mail and an attribute as it is.
fn is_plain(text: &str) -> bool {
    text.chars()
        .all(|c| c.is_ascii_graphic() && !matches!(c, '"' | '\'' | '<' | '>' | '\\' | '`'))
}

/// Percent-encodes what is not unreserved (RFC 3986 2.3).
pub(crate) fn encode(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                char::from(byte).to_string()
            }
            _ => format!("%{byte:02X}"),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_public_url_is_one_that_a_link_can_start_with() {
        for good in [
            "https://id.example.com",
            "http://127.0.0.1:8080/",
            "https://example.com/id",
        ] {
            assert_eq!(
                PublicUrl::parse(good).unwrap().as_str(),
                good.trim_end_matches('/')
            );
        }
        for bad in [
            "example.com",
            "ftp://x",
            "https://",
            "https://x?y=1",
            "https://a@b",
            "https://x\r\nA: b",
            "https://x\"y",
        ] {
            assert!(PublicUrl::parse(bad).is_err(), "{bad}");
        }
        assert_eq!(
            PublicUrl::of_bind("0.0.0.0:80".parse().unwrap()).as_str(),
            "http://127.0.0.1:80"
        );
        assert_eq!(
            PublicUrl::of_bind("[::]:80".parse().unwrap()).as_str(),
            "http://[::1]:80"
        );
    }

    #[test]
    fn a_link_has_one_place_for_the_token() {
        let base = PublicUrl::parse("https://id.example.com").unwrap();
        let link = LinkTemplate::parse("{public_url}/activate?token={token}", &base).unwrap();
        assert_eq!(
            link.with_token("abc"),
            "https://id.example.com/activate?token=abc"
        );
        assert_eq!(
            LinkTemplate::parse("myapp://open/{token}", &base)
                .unwrap()
                .with_token("t"),
            "myapp://open/t"
        );
        for bad in [
            "https://x/",
            "{token}",
            "https://x/{token}{token}",
            "javascript:{token}",
            "https://x/ {token}",
        ] {
            assert!(LinkTemplate::parse(bad, &base).is_err(), "{bad}");
        }
    }
}
