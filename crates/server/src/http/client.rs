//! Whose request it is: the client's address, through the proxies that are trusted and no others.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use axum::extract::FromRequestParts;
use axum::http::HeaderMap;
use axum::http::request::Parts;
use ipnet::IpNet;

use super::problem::Problem;

/// The address of the client, as far as it can be known. Set for every request by the outermost layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Client(pub IpAddr);

impl Client {
    /// What limits count by: an IPv4 address, or the /64 of an IPv6 address, since who has one of those
    /// has all of it.
    pub fn limit_key(self) -> [u8; 16] {
        match self.0 {
            IpAddr::V4(v4) => v4.to_ipv6_mapped().octets(),
            IpAddr::V6(v6) => {
                let mut octets = v6.octets();
                octets[8..].fill(0);
                octets
            }
        }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Client {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        parts
            .extensions
            .get::<Self>()
            .copied()
            .ok_or_else(|| Problem::internal("no client address was set"))
    }
}

/// The proxies whose forwarding headers are believed (`http.trusted_proxies`).
#[derive(Debug, Clone, Default)]
pub struct TrustedProxies(Vec<IpNet>);

impl TrustedProxies {
    /// Trust these networks.
    pub fn new(networks: Vec<IpNet>) -> Self {
        Self(networks)
    }

    fn trusts(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(&address))
    }

    /// The client behind the connection of `peer`.
    ///
    /// `X-Forwarded-For` is read from the right: each trusted hop vouches for the one before it, and the
    /// first that is not trusted is the client. What stands further left was written by that client.
    pub fn client(&self, peer: Option<SocketAddr>, headers: &HeaderMap) -> Client {
        let peer = peer.map_or(IpAddr::V6(Ipv6Addr::UNSPECIFIED), |peer| peer.ip().to_canonical());
        if !self.trusts(peer) {
            return Client(peer);
        }
        let mut client = peer;
        for value in headers.get_all("x-forwarded-for").iter().rev() {
            let Ok(value) = value.to_str() else {
                return Client(client);
            };
            for hop in value.rsplit(',') {
                let Some(address) = parse_hop(hop.trim()) else {
                    return Client(client);
                };
                client = address;
                if !self.trusts(client) {
                    return Client(client);
                }
            }
        }
        Client(client)
    }
}

/// An address, with or without a port.
fn parse_hop(hop: &str) -> Option<IpAddr> {
    let address = hop
        .parse::<IpAddr>()
        .ok()
        .or_else(|| Some(hop.parse::<SocketAddr>().ok()?.ip()));
    address
        .or_else(|| hop.strip_prefix('[')?.strip_suffix(']')?.parse().ok())
        .map(|ip: IpAddr| ip.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(peer: &str, forwarded: &[&str]) -> String {
        let proxies = TrustedProxies::new(vec!["10.0.0.0/8".parse().unwrap(), "fd00::/8".parse().unwrap()]);
        let mut headers = HeaderMap::new();
        for value in forwarded {
            headers.append("x-forwarded-for", value.parse().unwrap());
        }
        proxies
            .client(Some(SocketAddr::new(peer.parse().unwrap(), 1)), &headers)
            .0
            .to_string()
    }

    #[test]
    fn an_untrusted_peer_may_claim_what_it_likes() {
        assert_eq!(client("203.0.113.9", &["1.1.1.1"]), "203.0.113.9");
    }

    #[test]
    fn the_rightmost_untrusted_hop_is_the_client() {
        assert_eq!(
            client("10.0.0.1", &["1.1.1.1, 203.0.113.9, 10.0.0.2"]),
            "203.0.113.9"
        );
        assert_eq!(
            client("10.0.0.1", &["1.1.1.1", "203.0.113.9:4711"]),
            "203.0.113.9"
        );
        assert_eq!(client("fd00::1", &["[2001:db8::1]:80"]), "2001:db8::1");
    }

    #[test]
    fn nonsense_ends_the_walk_at_the_last_address_that_was_vouched_for() {
        assert_eq!(client("10.0.0.1", &["1.1.1.1, garbage, 10.0.0.3"]), "10.0.0.3");
        assert_eq!(client("10.0.0.1", &[]), "10.0.0.1");
    }

    #[test]
    fn one_ipv6_network_is_one_client() {
        let a = Client("2001:db8::1".parse().unwrap());
        let b = Client("2001:db8::ffff:1".parse().unwrap());
        assert_eq!(a.limit_key(), b.limit_key());
        assert_ne!(
            a.limit_key(),
            Client("2001:db8:0:1::1".parse().unwrap()).limit_key()
        );
    }
}
