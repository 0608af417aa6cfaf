//! What was seen of a name in the DNS.

use std::net::{IpAddr, SocketAddr};

use crate::dns::{Failure, Name};

/// What was seen of a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sight {
    /// What it comes to.
    pub finding: Finding,
    /// The name and the CNAMEs' targets, as far as they were followed.
    pub chain: Vec<Name>,
    /// What each of the zone's own servers said of the name itself; empty when the resolver was
    /// asked.
    pub servers: Vec<ServerView>,
}

/// What it comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// The CNAMEs lead to the target.
    Target,
    /// They do, and CAA records forbid a certificate: the record in words, and whether it stands
    /// at the target rather than in the customer's domain.
    Forbidden {
        /// The record and what is wrong with it.
        record: String,
        /// Whether it is the platform's own.
        is_ours: bool,
        /// Where one more record lets our authority certify; `None` when none does.
        issue_at: Option<Name>,
    },
    /// They do, and so does every name beside this one.
    Wildcard,
    /// No CNAME, and no other addresses than the target's.
    Flattened(Vec<IpAddr>),
    /// No CNAME, and other addresses.
    Addresses(Vec<IpAddr>),
    /// The name exists and has neither.
    NoCname,
    /// The name does not exist.
    NoName,
    /// The CNAMEs end at another name, which exists.
    Elsewhere(Name),
    /// The CNAMEs end at a name that does not exist.
    Dangling(Name),
    /// The CNAMEs lead in a circle.
    Loop,
    /// There are too many CNAMEs.
    TooLong,
    /// The zone's servers disagree.
    Disagreement,
    /// Nobody vouched for anything; for which name, and why.
    Failed(Name, Failure),
}

/// What one of the zone's own servers said of the name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerView {
    /// The server.
    pub server: Name,
    /// Where it was asked.
    pub address: Option<SocketAddr>,
    /// What it said, in words.
    pub said: String,
}

impl Finding {
    /// What was found, in words.
    pub fn found(&self, chain: &[Name]) -> String {
        let way = || chain.iter().map(Name::to_string).collect::<Vec<_>>().join(" → ");
        let list = |addresses: &[IpAddr]| {
            addresses.iter().map(IpAddr::to_string).collect::<Vec<_>>().join(", ")
        };
        match self {
            Self::Target => way(),
            Self::Forbidden { record, .. } => format!("{}; {record}", way()),
            Self::Wildcard => format!("{}, and so does every name beside it", way()),
            Self::Flattened(addresses) => {
                format!("no CNAME, and the target's addresses {}", list(addresses))
            }
            Self::Addresses(addresses) => {
                format!("no CNAME, and the addresses {}", list(addresses))
            }
            Self::NoCname => "the name, without a CNAME or an address".to_owned(),
            Self::NoName => "no such name (NXDOMAIN)".to_owned(),
            Self::Elsewhere(_) => way(),
            Self::Dangling(last) => format!("{}, and {last} does not exist", way()),
            Self::Loop => format!("{}: a circle", way()),
            Self::TooLong => format!("{}, and on", way()),
            Self::Disagreement => "different answers from the domain's own servers".to_owned(),
            Self::Failed(name, failure) => format!("nothing: {failure} ({name})"),
        }
    }
}
