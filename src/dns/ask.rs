//! What may be asked.

use std::fmt;

use super::Name;

/// One question: a name and the kind of records that are wanted of it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Question {
    /// The name.
    pub name: Name,
    /// The kind of records.
    pub kind: Kind,
}

/// A kind of records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// IPv4 addresses (RFC 1035 §3.4.1).
    A,
    /// IPv6 addresses (RFC 3596).
    Aaaa,
    /// Who may certify (RFC 8659).
    Caa,
    /// The name that this is an alias of (RFC 1035 §3.3.1).
    Cname,
    /// Delegation signers (RFC 4034 §5).
    Ds,
    /// Who takes mail (RFC 1035 §3.3.9).
    Mx,
    /// The zone's servers (RFC 1035 §3.3.11).
    Ns,
    /// The names of an address (RFC 1035 §3.3.12).
    Ptr,
    /// The start of a zone's authority (RFC 1035 §3.3.13).
    Soa,
    /// The record type of SPF that RFC 7208 §3.1 discontinued.
    Spf,
    /// Texts (RFC 1035 §3.3.14).
    Txt,
}

impl Question {
    /// A question.
    pub fn new(name: &Name, kind: Kind) -> Self {
        Self { name: name.clone(), kind }
    }
}

impl fmt::Display for Question {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.name, self.kind.name())
    }
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 11] = [
        Self::A,
        Self::Aaaa,
        Self::Caa,
        Self::Cname,
        Self::Ds,
        Self::Mx,
        Self::Ns,
        Self::Ptr,
        Self::Soa,
        Self::Spf,
        Self::Txt,
    ];

    /// The mnemonic, such as `AAAA`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::A => "A",
            Self::Aaaa => "AAAA",
            Self::Caa => "CAA",
            Self::Cname => "CNAME",
            Self::Ds => "DS",
            Self::Mx => "MX",
            Self::Ns => "NS",
            Self::Ptr => "PTR",
            Self::Soa => "SOA",
            Self::Spf => "SPF",
            Self::Txt => "TXT",
        }
    }
}
