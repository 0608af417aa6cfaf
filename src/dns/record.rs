//! Records as values.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::{Kind, Name};

/// A record.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Record {
    /// Whose it is.
    pub name: Name,
    /// For how many seconds it may be remembered.
    pub ttl: u32,
    /// What it says.
    pub data: Data,
}

/// What a record says.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Data {
    /// An IPv4 address.
    A(Ipv4Addr),
    /// An IPv6 address.
    Aaaa(Ipv6Addr),
    /// Who may certify.
    Caa(Caa),
    /// The name that this is an alias of.
    Cname(Name),
    /// Who takes mail; the lower preference first.
    Mx {
        /// The order.
        preference: u16,
        /// The host; the root says that mail is not taken (RFC 7505).
        exchange: Name,
    },
    /// One of the zone's servers.
    Ns(Name),
    /// Bytes of a kind that is not read further, such as DS.
    Other(Kind, Vec<u8>),
    /// A name of an address.
    Ptr(Name),
    /// The start of a zone's authority.
    Soa(Soa),
    /// A text: its strings, each of at most 255 bytes. Joined with nothing between them they are
    /// what SPF, DKIM and DMARC read.
    Txt(Vec<Vec<u8>>),
}

/// One property of a CAA record set (RFC 8659 §4).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Caa {
    /// The flags byte; bit 128 is "critical".
    pub flags: u8,
    /// The tag as it was written.
    pub tag: String,
    /// The value, which is text when it is right.
    pub value: Vec<u8>,
}

/// The start of a zone's authority.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Soa {
    /// The primary server.
    pub primary: Name,
    /// Who is responsible, in mailbox form.
    pub responsible: Name,
    /// The version of the zone.
    pub serial: u32,
    /// For how many seconds an absence may be remembered (RFC 2308 §4).
    pub minimum: u32,
}

impl Data {
    /// The whole text of a [`Data::Txt`], its strings joined; `None` for others.
    pub fn text(&self) -> Option<Vec<u8>> {
        match self {
            Self::Txt(strings) => Some(strings.concat()),
            _ => None,
        }
    }
}
