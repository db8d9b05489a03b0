//! What is known about who logs in: enough for people to recognise their own sessions, and for a login from elsewhere
//! to be told to them. Nothing else, and no more exact than that takes.

use std::net::IpAddr;
use std::time::Duration;

use axum::http::HeaderMap;
use axum::http::header::{HeaderValue, USER_AGENT};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use gatepost_tokens::NewSession;
use hmac::Mac as _;

use super::device::{Device, MAX_AGENT};
use crate::app::App;
use crate::http::Client;
use crate::keyed;
use crate::pages_http::cookie::Cookie;

/// Tells one browser from another of the same kind. It proves nothing and opens nothing; the table knows it only by a
/// keyed hash together with the user, so that it links nobody to anybody. `Lax`: a link in a letter may lead to a login.
const COOKIE: Cookie = Cookie {
    name: "gatepost_device",
    same_site: "Lax",
};
/// As long as browsers keep a cookie (RFC 6265bis, 5.5: 400 days).
const COOKIE_LIVES: Duration = Duration::from_secs(400 * 86_400);
/// What was not seen for so long is as good as new.
pub const FORGOTTEN: Duration = Duration::from_secs(180 * 86_400);

/// Somebody at the door.
#[derive(Debug, Clone)]
pub struct Arrival {
    /// What the session remembers.
    pub session: NewSession,
    address: IpAddr,
    device: Device,
    cookie: Option<[u8; 16]>,
}

impl Arrival {
    /// Of a request.
    pub fn of(app: &App, client: Client, headers: &HeaderMap) -> Self {
        let agent = headers.get(USER_AGENT).and_then(|value| value.to_str().ok());
        let agent: Option<String> = agent.map(|agent| agent.chars().take(MAX_AGENT).collect());
        let cookie = COOKIE
            .read(app, headers)
            .and_then(|value| URL_SAFE_NO_PAD.decode(value).ok()?.try_into().ok());
        Self {
            device: agent.as_deref().map(Device::of).unwrap_or_default(),
            session: NewSession {
                user_agent: agent,
                ip: Some(network(client.0)),
            },
            address: client.0,
            cookie,
        }
    }

    /// A browser: it gets a cookie, if it has none, to be known by.
    #[must_use]
    pub fn browser(mut self) -> Self {
        self.cookie = self.cookie.or_else(|| Some(crate::random::bytes()));
        self
    }

    /// The header that sets the cookie, or makes it last longer.
    pub(crate) fn cookie(&self, app: &App) -> Option<HeaderValue> {
        let value = URL_SAFE_NO_PAD.encode(self.cookie?);
        COOKIE.set(app, &value, COOKIE_LIVES)
    }

    /// What this user's device is known by: the cookie, and the kind of program together with the provider's network.
    /// The second is for programs without cookies; it is coarse, so that a telephone that moves about in one
    /// provider's network is one device.
    pub fn marks(&self, app: &App, subject: &str) -> Vec<[u8; 32]> {
        let key = app.tokens.tokens().keys().derive("gatepost devices");
        let mark = |kind: &str, parts: &[&[u8]]| {
            let mut mac = keyed::mac(key.as_ref(), kind, subject.as_bytes());
            for part in parts {
                mac.update(&[0]);
                mac.update(part);
            }
            mac.finalize().into_bytes().into()
        };
        let (app, system) = (self.device.app.unwrap_or(""), self.device.system.unwrap_or(""));
        let place = provider(self.address);
        let mut marks = vec![mark("kind", &[app.as_bytes(), system.as_bytes(), &place])];
        if let Some(cookie) = &self.cookie {
            marks.push(mark("cookie", &[cookie]));
        }
        marks
    }
}

/// The network that a session's owner is shown: `192.0.2.0/24`, `2001:db8:1::/48`. The address itself is not kept.
pub fn network(address: IpAddr) -> String {
    let bits = if address.is_ipv4() { 24 } else { 48 };
    cut(address, bits).map_or_else(|| address.to_string(), |net| net.to_string())
}

/// About a provider's share of the world: an IPv4 /16 or an IPv6 /32.
fn provider(address: IpAddr) -> Vec<u8> {
    let bits = if address.is_ipv4() { 16 } else { 32 };
    match cut(address, bits).map(|net| net.network()) {
        Some(IpAddr::V4(v4)) => v4.octets().to_vec(),
        Some(IpAddr::V6(v6)) => v6.octets().to_vec(),
        None => Vec::new(),
    }
}

fn cut(address: IpAddr, bits: u8) -> Option<ipnet::IpNet> {
    ipnet::IpNet::new(address, bits).ok().map(|net| net.trunc())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_is_shown_and_no_address() {
        for (address, shown) in [
            ("192.0.2.17", "192.0.2.0/24"),
            ("127.0.0.1", "127.0.0.0/24"),
            ("2001:db8:1:2:3:4:5:6", "2001:db8:1::/48"),
            ("::1", "::/48"),
        ] {
            assert_eq!(network(address.parse().unwrap()), shown);
        }
        assert_eq!(provider("192.0.2.17".parse().unwrap()), [192, 0, 0, 0]);
    }
}
