//! Which addresses may be dialled.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// How far a client reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// Addresses of the public internet only: for whatever a stranger's record names.
    Public,
    /// This machine and private networks too: for what the operator configured.
    Inside,
}

impl Reach {
    /// Whether an address may be dialled. An address that holds an IPv4 address (mapped, or
    /// translated by the well-known prefix of NAT64) is judged as that one.
    pub fn permits(self, address: IpAddr) -> bool {
        match (address, self) {
            (IpAddr::V4(four), Self::Public) => is_public(four),
            (IpAddr::V4(four), Self::Inside) => is_unicast(four),
            (IpAddr::V6(six), _) => match embedded(six) {
                Some(four) => self.permits(IpAddr::V4(four)),
                None if self == Self::Public => is_public_six(six),
                None => is_unicast_six(six),
            },
        }
    }
}

/// One host somewhere, and not this link's own machinery (169.254.0.0/16 holds the metadata
/// services of clouds).
fn is_unicast(four: Ipv4Addr) -> bool {
    let [first, ..] = four.octets();
    first != 0 && first < 224 && !four.is_link_local()
}

/// Globally reachable (the IANA registry of special-purpose addresses, RFC 6890).
fn is_public(four: Ipv4Addr) -> bool {
    is_unicast(four) && !SPECIAL.iter().any(|(network, bits)| is_within(four, *network, *bits))
}

fn is_within(four: Ipv4Addr, network: [u8; 4], bits: u32) -> bool {
    let mask = u32::MAX << (32 - bits);
    four.to_bits() & mask == u32::from_be_bytes(network)
}

fn is_unicast_six(six: Ipv6Addr) -> bool {
    let first = six.segments()[0];
    let is_link_local = first & 0xffc0 == 0xfe80;
    !six.is_unspecified() && !six.is_multicast() && !is_link_local
}

/// Global unicast, without what is special within (RFC 4291 §2.4, RFC 6890).
fn is_public_six(six: Ipv6Addr) -> bool {
    let [first, second, ..] = six.segments();
    let is_global = first & 0xe000 == 0x2000;
    // 2001::/23 holds Teredo, benchmarking and ORCHIDs.
    let is_special = (first == 0x2001 && (second < 0x0200 || second == 0x0db8))
        // 6to4: an IPv4 address behind a relay that nobody knows.
        || first == 0x2002
        // Documentation (RFC 9637).
        || (first == 0x3fff && second < 0x1000);
    is_global && !is_special
}

/// The IPv4 address that an IPv6 address stands for.
fn embedded(six: Ipv6Addr) -> Option<Ipv4Addr> {
    let segments = six.segments();
    let is_translated = segments[..6] == [0x64, 0xff9b, 0, 0, 0, 0];
    let [.., high, low] = segments;
    six.to_ipv4_mapped().or_else(|| {
        is_translated.then(|| Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low)))
    })
}

/// What is not globally reachable, and the address at which Azure's machines find their metadata.
const SPECIAL: [([u8; 4], u32); 12] = [
    ([10, 0, 0, 0], 8),
    ([100, 64, 0, 0], 10),
    ([127, 0, 0, 0], 8),
    ([168, 63, 129, 16], 32),
    ([172, 16, 0, 0], 12),
    ([192, 0, 0, 0], 24),
    ([192, 0, 2, 0], 24),
    ([192, 88, 99, 0], 24),
    ([192, 168, 0, 0], 16),
    ([198, 18, 0, 0], 15),
    ([198, 51, 100, 0], 24),
    ([203, 0, 113, 0], 24),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_public_addresses_are_within_reach_of_what_strangers_name() {
        for (address, is_public, is_inside) in [
            ("93.184.215.14", true, true),
            ("2606:2800:220:1::1", true, true),
            ("64:ff9b::93.184.215.14", true, true),
            ("::ffff:93.184.215.14", true, true),
            ("127.0.0.1", false, true),
            ("10.1.2.3", false, true),
            ("172.16.0.1", false, true),
            ("172.32.0.1", true, true),
            ("192.168.1.1", false, true),
            ("100.64.0.1", false, true),
            ("100.100.100.200", false, true),
            ("168.63.129.16", false, true),
            ("192.0.0.192", false, true),
            ("198.19.0.1", false, true),
            ("203.0.113.7", false, true),
            ("::1", false, true),
            ("fd00:ec2::254", false, true),
            ("::ffff:127.0.0.1", false, true),
            ("64:ff9b::127.0.0.1", false, true),
            ("64:ff9b:1::10.0.0.1", false, true),
            ("2001:db8::1", false, true),
            ("2001::1", false, true),
            ("2002:7f00:1::1", false, true),
            ("3fff:fff::1", false, true),
            ("169.254.169.254", false, false),
            ("::ffff:169.254.169.254", false, false),
            ("64:ff9b::169.254.169.254", false, false),
            ("fe80::1", false, false),
            ("0.0.0.0", false, false),
            ("0.1.2.3", false, false),
            ("::", false, false),
            ("224.0.0.1", false, false),
            ("255.255.255.255", false, false),
            ("240.0.0.1", false, false),
            ("ff02::1", false, false),
        ] {
            let parsed: IpAddr = address.parse().unwrap();
            assert_eq!(Reach::Public.permits(parsed), is_public, "{address}");
            assert_eq!(Reach::Inside.permits(parsed), is_inside, "{address}");
        }
    }
}
