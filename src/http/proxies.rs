//! Which address a request comes from, for bounds alone: that of its connection, or behind trusted
//! proxies the last address in `X-Forwarded-For` that is not a proxy's. This address never lets a
//! caller in or keeps a caller out.

use std::net::IpAddr;

use axum::http::{HeaderMap, HeaderName};
use ipnet::IpNet;

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// An extension of a request that goes through the router: the other end of its connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer(pub IpAddr);

/// The networks of proxies that are trusted to say where a request comes from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Proxies(Vec<IpNet>);

impl Proxies {
    pub fn new(networks: Vec<IpNet>) -> Proxies {
        Proxies(networks)
    }

    /// The address that bounds apply to; `None` where there is none: on this machine, or for the
    /// proxies themselves.
    pub fn client(&self, peer: IpAddr, headers: &HeaderMap) -> Option<IpAddr> {
        let peer = peer.to_canonical();
        let address = if self.trust(peer) { self.forwarded_for(headers)? } else { peer };
        (!address.is_loopback()).then_some(address)
    }

    /// Each proxy appends the address it was called from. Anything before the last foreign address
    /// may be made up.
    fn forwarded_for(&self, headers: &HeaderMap) -> Option<IpAddr> {
        let lines: Vec<&str> = headers
            .get_all(FORWARDED_FOR)
            .iter()
            .map(|value| value.to_str().unwrap_or_default())
            .collect();
        let mut hops = lines.iter().rev().flat_map(|line| line.rsplit(',')).map(address);
        hops.find(|hop| hop.is_none_or(|hop| !self.trust(hop))).flatten()
    }

    fn trust(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(&address))
    }
}

/// An address as proxies write it: bare, in brackets, with a port.
fn address(hop: &str) -> Option<IpAddr> {
    let hop = hop.trim().trim_matches('"');
    let bare = match hop.strip_prefix('[') {
        Some(rest) => rest.split_once(']')?.0,
        None if hop.matches(':').count() == 1 => hop.split_once(':')?.0,
        None => hop,
    };
    bare.parse::<IpAddr>().ok().map(|address| address.to_canonical())
}

#[allow(clippy::expect_used)]
#[cfg(test)]
mod tests {
    use super::*;

    fn check(peer: &str, forwarded: &[&str], expected: Option<&str>) {
        let proxies = Proxies::new(
            ["10.0.0.0/8", "fd00::/8", "127.0.0.2/32"]
                .map(|network| network.parse().expect("a network"))
                .to_vec(),
        );
        let mut headers = HeaderMap::new();
        forwarded.iter().for_each(|line| {
            headers.append(FORWARDED_FOR, line.parse().expect("a header"));
        });
        let client = proxies.client(peer.parse().expect("an address"), &headers);
        assert_eq!(
            client,
            expected.map(|address| address.parse().expect("an address")),
            "{peer} {forwarded:?}"
        );
    }

    #[test]
    fn the_last_foreign_address_counts_and_only_behind_a_trusted_proxy() {
        check("198.51.100.7", &[], Some("198.51.100.7"));
        check("198.51.100.7", &["203.0.113.9"], Some("198.51.100.7"));
        check("::ffff:198.51.100.7", &[], Some("198.51.100.7"));
        check("10.1.2.3", &["203.0.113.9"], Some("203.0.113.9"));
        check("::ffff:10.1.2.3", &["203.0.113.9"], Some("203.0.113.9"));
        check("10.1.2.3", &["1.1.1.1, 203.0.113.9, 10.9.9.9"], Some("203.0.113.9"));
        check("10.1.2.3", &["1.1.1.1", "203.0.113.9", "10.9.9.9, 10.9.9.8"], Some("203.0.113.9"));
        check("10.1.2.3", &["1.1.1.1, 203.0.113.9:4711"], Some("203.0.113.9"));
        check("fd00::1", &["[2001:db8::7]:4711"], Some("2001:db8::7"));
        check("10.1.2.3", &["2001:db8::7"], Some("2001:db8::7"));
        check("10.1.2.3", &["1.1.1.1, unknown"], None);
        check("10.1.2.3", &["10.9.9.9"], None);
        check("10.1.2.3", &[], None);
        check("127.0.0.1", &["203.0.113.9"], None);
        check("127.0.0.2", &["203.0.113.9"], Some("203.0.113.9"));
        check("127.0.0.2", &["203.0.113.9, 127.0.0.1"], None);
        check("::1", &[], None);
    }
}
