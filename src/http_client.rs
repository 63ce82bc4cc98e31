//! The one place where HTTP clients are made. Floor 2.
//!
//! What the environment names (proxies, CA certificates, a resolver) is for the way to other
//! machines. It is not used between a machine and itself: otherwise a person who sets a proxy could
//! read a token that never had to leave the machine, or supply session keys of their own.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use reqwest::{Client, ClientBuilder, Url, redirect};

/// The addresses that the names of this machine resolve to.
pub const LOOPBACK: [IpAddr; 2] =
    [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];

/// A builder of a client for one address, to be completed. The client follows no redirect: where
/// one leads was never checked.
///
/// Over plain http the client asks no proxy, and needs no CA certificates: there is no TLS to
/// check. The names of this machine lead to this machine, whatever a resolver says.
#[expect(clippy::disallowed_methods, reason = "this is the one place")]
pub fn client_for(url: &Url) -> ClientBuilder {
    let client = Client::builder().redirect(redirect::Policy::none());
    let client =
        if url.scheme() == "https" { client } else { client.no_proxy().tls_certs_only([]) };
    if !is_loopback(url) {
        return client;
    }
    // Port 0 means the port of the URL.
    let here = LOOPBACK.map(|ip| SocketAddr::new(ip, 0));
    client.no_proxy().resolve_to_addrs(url.host_str().unwrap_or_default(), &here)
}

/// Whether an address is one of this machine alone: a loopback address, or a name of it.
///
/// ```
/// # use turnout::http_client::is_loopback;
/// let here = |url: &str| is_loopback(&url.parse().unwrap());
/// assert!(["http://127.0.0.1", "http://127.9.9.9:1", "http://[::1]", "http://[::ffff:127.0.0.1]", "http://LOCALHOST"].into_iter().all(here));
/// assert!(!["http://0.0.0.0", "http://10.0.0.1", "http://localhost.example.com", "http://[fd00::1]"].into_iter().any(here));
/// ```
pub fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    match host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>() {
        Ok(ip) => ip.to_canonical().is_loopback(),
        Err(_) => host.trim_end_matches('.').eq_ignore_ascii_case("localhost"),
    }
}
