//! Which IP addresses are public. Addresses that the registries keep for special purposes are
//! refused, and so is every address that carries an IPv4 address inside: it may lead back in.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Special in IPv4: <https://www.iana.org/assignments/iana-ipv4-special-registry>, multicast, and
/// what is reserved.
const SPECIAL_V4: [(Ipv4Addr, u32); 14] = [
    (Ipv4Addr::new(0, 0, 0, 0), 8),       // this network
    (Ipv4Addr::new(10, 0, 0, 0), 8),      // private
    (Ipv4Addr::new(100, 64, 0, 0), 10),   // behind a provider's NAT
    (Ipv4Addr::new(127, 0, 0, 0), 8),     // loopback
    (Ipv4Addr::new(169, 254, 0, 0), 16),  // link-local, and the metadata of clouds
    (Ipv4Addr::new(172, 16, 0, 0), 12),   // private
    (Ipv4Addr::new(192, 0, 0, 0), 24),    // protocols
    (Ipv4Addr::new(192, 0, 2, 0), 24),    // documentation
    (Ipv4Addr::new(192, 88, 99, 0), 24),  // 6to4 relays
    (Ipv4Addr::new(192, 168, 0, 0), 16),  // private
    (Ipv4Addr::new(198, 18, 0, 0), 15),   // benchmarks
    (Ipv4Addr::new(198, 51, 100, 0), 24), // documentation
    (Ipv4Addr::new(203, 0, 113, 0), 24),  // documentation
    (Ipv4Addr::new(224, 0, 0, 0), 3),     // multicast, reserved, broadcast
];

/// All that is public in IPv6; loopback, mapped IPv4, NAT64, unique local, link-local and multicast
/// are outside.
const PUBLIC_V6: (Ipv6Addr, u32) = (Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0), 3);

/// Special inside that range: <https://www.iana.org/assignments/iana-ipv6-special-registry>.
const SPECIAL_V6: [(Ipv6Addr, u32); 4] = [
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23), // protocols: Teredo, benchmarks, ORCHID
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32), // documentation
    (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16), // 6to4
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20), // documentation
];

/// Whether an address can be a host on the internet.
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => {
            let inside = |(network, bits): &(Ipv4Addr, u32)| {
                same_begin(address.to_bits().into(), network.to_bits().into(), 32, *bits)
            };
            !SPECIAL_V4.iter().any(inside)
        }
        IpAddr::V6(address) => {
            let inside = |(network, bits): &(Ipv6Addr, u32)| {
                same_begin(address.to_bits(), network.to_bits(), 128, *bits)
            };
            inside(&PUBLIC_V6) && !SPECIAL_V6.iter().any(inside)
        }
    }
}

/// Whether two numbers of `width` bits begin with the same `bits`.
fn same_begin(one: u128, other: u128, width: u32, bits: u32) -> bool {
    (one ^ other) >> (width - bits) == 0
}
