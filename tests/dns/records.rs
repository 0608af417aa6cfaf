//! What a face knows: names, their records, and where zones begin.

use std::collections::HashMap;
use std::net::{Ipv4Addr, Ipv6Addr};

use hickory_net::proto::rr::rdata::{A, AAAA, CNAME, MX, NS, NULL, PTR, SOA, TXT};
use hickory_net::proto::rr::{Name, RData, RecordType};

pub use hickory_net::proto::rr::RecordType as Kind;

/// Names with their records. A name without any is there all the same: something is below it.
#[derive(Clone, Debug, Default)]
pub struct Records {
    pub(super) names: HashMap<String, Vec<RData>>,
    /// Where zones begin, each with how long an absence in it may be remembered.
    pub(super) apexes: HashMap<String, u32>,
    /// For how many seconds records may be remembered.
    pub ttl: u32,
}

/// What there is of a name.
pub enum Held<'a> {
    /// These records, perhaps none.
    Name(&'a [RData]),
    /// Nothing.
    Nothing,
}

impl Records {
    /// Begins a zone.
    pub fn zone(&mut self, apex: &str, negative_ttl: u32) {
        self.apexes.insert(normal(apex), negative_ttl);
        self.names.entry(normal(apex)).or_default();
    }

    /// Adds a record; the names above it come into being.
    pub fn add(&mut self, name: &str, data: RData) {
        let name = normal(name);
        let mut above = name.as_str();
        while let Some((_, parent)) = above.split_once('.') {
            self.names.entry(parent.to_owned()).or_default();
            above = parent;
        }
        self.names.entry(name).or_default().push(data);
    }

    /// Removes a name with all its records.
    pub fn remove(&mut self, name: &str) {
        self.names.remove(&normal(name));
    }

    /// The zone that holds a name, and how long an absence in it may be remembered.
    pub fn zone_of(&self, name: &str) -> Option<(&str, u32)> {
        let mut at = Some(name);
        while let Some(candidate) = at {
            if let Some((apex, ttl)) = self.apexes.get_key_value(candidate) {
                return Some((apex, *ttl));
            }
            at = candidate.split_once('.').map(|(_, parent)| parent);
        }
        None
    }

    /// What there is of a name, of its wildcard when there is nothing of itself (RFC 4592).
    pub fn held(&self, name: &str) -> Held<'_> {
        if let Some(records) = self.names.get(name) {
            return Held::Name(records);
        }
        let mut at = name;
        while let Some((_, parent)) = at.split_once('.') {
            if let Some(records) = self.names.get(&format!("*.{parent}")) {
                return Held::Name(records);
            }
            if self.names.contains_key(parent) {
                break;
            }
            at = parent;
        }
        Held::Nothing
    }
}

/// A name as [`Records`] keep it: lower case, without the final dot.
pub fn normal(name: &str) -> String {
    name.trim_end_matches('.').to_ascii_lowercase()
}

/// An IPv4 address.
pub fn a(address: impl Into<Ipv4Addr>) -> RData {
    RData::A(A(address.into()))
}

/// An IPv6 address.
pub fn aaaa(address: impl Into<Ipv6Addr>) -> RData {
    RData::AAAA(AAAA(address.into()))
}

/// An alias.
pub fn cname(target: &str) -> RData {
    RData::CNAME(CNAME(name(target)))
}

/// One of a zone's servers.
pub fn ns(server: &str) -> RData {
    RData::NS(NS(name(server)))
}

/// A name of an address.
pub fn ptr(target: &str) -> RData {
    RData::PTR(PTR(name(target)))
}

/// Who takes mail.
pub fn mx(preference: u16, exchange: &str) -> RData {
    RData::MX(MX::new(preference, name(exchange)))
}

/// A text of these strings.
pub fn txt(strings: &[&str]) -> RData {
    RData::TXT(TXT::from_bytes(strings.iter().map(|string| string.as_bytes()).collect()))
}

/// A property of who may certify, as bytes, so that a wrong one can be made too.
pub fn caa(flags: u8, tag: &str, value: &str) -> RData {
    let mut bytes = vec![flags, tag.len() as u8];
    bytes.extend_from_slice(tag.as_bytes());
    bytes.extend_from_slice(value.as_bytes());
    RData::Unknown { code: RecordType::CAA, rdata: NULL::with(bytes) }
}

/// A delegation signer; of which key is nobody's business here.
pub fn ds() -> RData {
    let bytes = [&[0, 1, 13, 2][..], &[7; 32]].concat();
    RData::Unknown { code: RecordType::DS, rdata: NULL::with(bytes) }
}

/// The record type that RFC 7208 discontinued.
pub fn spf(text: &str) -> RData {
    let mut bytes = vec![text.len() as u8];
    bytes.extend_from_slice(text.as_bytes());
    RData::Unknown { code: RecordType::Unknown(99), rdata: NULL::with(bytes) }
}

pub(super) fn soa(apex: &str, minimum: u32) -> RData {
    let apex = name(apex);
    RData::SOA(SOA::new(apex.clone(), apex, 1, 3_600, 600, 86_400, minimum))
}

/// A name whose labels may hold anything but a dot.
pub(super) fn name(text: &str) -> Name {
    let labels = text.split('.').filter(|label| !label.is_empty()).map(str::as_bytes);
    let mut name = Name::from_labels(labels).unwrap();
    name.set_fqdn(true);
    name
}

/// A name as [`Records`] keep it, nothing escaped.
pub(super) fn plain(name: &Name) -> String {
    let labels: Vec<_> = name.iter().map(String::from_utf8_lossy).collect();
    normal(&labels.join("."))
}
