//! Networks, and those that nobody sends mail from.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::Prefixes;

/// Whether `ip` lies in the network of `prefix` bits around `network`.
pub(super) fn holds_ip4(network: Ipv4Addr, prefix: u8, ip: Ipv4Addr) -> bool {
    let mask = mask4(prefix);
    network.to_bits() & mask == ip.to_bits() & mask
}

/// Whether `ip` lies in the network of `prefix` bits around `network`.
pub(super) fn holds_ip6(network: Ipv6Addr, prefix: u8, ip: Ipv6Addr) -> bool {
    let mask = mask6(prefix);
    network.to_bits() & mask == ip.to_bits() & mask
}

/// Whether `ip` is near enough to `address`, which is of the same family or matches nothing.
pub(super) fn is_near(address: IpAddr, prefixes: Prefixes, ip: IpAddr) -> bool {
    match (address, ip) {
        (IpAddr::V4(address), IpAddr::V4(ip)) => holds_ip4(address, prefixes.ip4, ip),
        (IpAddr::V6(address), IpAddr::V6(ip)) => holds_ip6(address, prefixes.ip6, ip),
        _ => false,
    }
}

/// The first address of a network.
pub(super) fn first_ip4(network: Ipv4Addr, prefix: u8) -> Ipv4Addr {
    Ipv4Addr::from_bits(network.to_bits() & mask4(prefix))
}

/// The first address of a network.
pub(super) fn first_ip6(network: Ipv6Addr, prefix: u8) -> Ipv6Addr {
    Ipv6Addr::from_bits(network.to_bits() & mask6(prefix))
}

/// What an IPv4 network is for, when it is not for mail servers of the Internet (RFC 6890).
pub(super) fn purpose_ip4(network: Ipv4Addr, prefix: u8) -> Option<&'static str> {
    let within = |(base, bits, _): &&([u8; 4], u8, _)| {
        *bits <= prefix && holds_ip4(Ipv4Addr::from(*base), *bits, network)
    };
    RESERVED_IP4.iter().find(within).map(|(.., purpose)| *purpose)
}

/// What an IPv6 network is for, when it is not for mail servers of the Internet (RFC 6890).
pub(super) fn purpose_ip6(network: Ipv6Addr, prefix: u8) -> Option<&'static str> {
    let within = |(base, bits, _): &&([u16; 8], u8, _)| {
        *bits <= prefix && holds_ip6(Ipv6Addr::from(*base), *bits, network)
    };
    RESERVED_IP6.iter().find(within).map(|(.., purpose)| *purpose)
}

fn mask4(prefix: u8) -> u32 {
    u32::MAX.checked_shl(32 - u32::from(prefix.min(32))).unwrap_or(0)
}

fn mask6(prefix: u8) -> u128 {
    u128::MAX.checked_shl(128 - u32::from(prefix.min(128))).unwrap_or(0)
}

const RESERVED_IP4: [([u8; 4], u8, &str); 13] = [
    ([0, 0, 0, 0], 8, "this network"),
    ([10, 0, 0, 0], 8, "private use"),
    ([100, 64, 0, 0], 10, "carriers' address translation"),
    ([127, 0, 0, 0], 8, "loopback"),
    ([169, 254, 0, 0], 16, "link-local use"),
    ([172, 16, 0, 0], 12, "private use"),
    ([192, 0, 2, 0], 24, "documentation"),
    ([192, 168, 0, 0], 16, "private use"),
    ([198, 18, 0, 0], 15, "benchmarks"),
    ([198, 51, 100, 0], 24, "documentation"),
    ([203, 0, 113, 0], 24, "documentation"),
    ([224, 0, 0, 0], 4, "multicast"),
    ([240, 0, 0, 0], 4, "reserved"),
];

const RESERVED_IP6: [([u16; 8], u8, &str); 6] = [
    ([0, 0, 0, 0, 0, 0, 0, 1], 128, "loopback"),
    ([0, 0, 0, 0, 0, 0xffff, 0, 0], 96, "IPv4 in IPv6, which receivers compare as IPv4"),
    ([0x2001, 0xdb8, 0, 0, 0, 0, 0, 0], 32, "documentation"),
    ([0xfc00, 0, 0, 0, 0, 0, 0, 0], 7, "private use"),
    ([0xfe80, 0, 0, 0, 0, 0, 0, 0], 10, "link-local use"),
    ([0xff00, 0, 0, 0, 0, 0, 0, 0], 8, "multicast"),
];
