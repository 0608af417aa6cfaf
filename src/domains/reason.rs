//! Why a domain is in its state, in words for the person who must act.

use std::fmt;

use crate::hostname::Hostname;

/// Why. The code is stable; fields are added, never renamed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    /// It was just added.
    Added,
    /// The addresses are another's.
    Addresses,
    /// CAA records do not let our authorities certify.
    CaaForbids,
    /// The CAA records of our own target do not.
    CaaAtTarget,
    /// A certificate is held.
    Certificate,
    /// The CNAME leads to the target.
    Cname,
    /// The CNAME leads to a name that does not exist.
    Dangling,
    /// The zone's servers disagree.
    Disagreement,
    /// The CNAME leads to another name.
    Elsewhere,
    /// The target's addresses without a CNAME.
    Flattened,
    /// CNAMEs in a circle.
    Loop,
    /// The name is there and leads nowhere.
    NoCname,
    /// The name does not exist.
    NoName,
    /// Somebody removed it.
    Removed,
    /// More CNAMEs than anybody follows.
    TooLong,
    /// Every name beside it leads to us too.
    Wildcard,
}

/// Who must act.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    /// Whoever publishes the domain's DNS.
    Customer,
    /// Whoever runs this node.
    Platform,
    /// The certification authority.
    Ca,
    /// Nobody.
    Nobody,
}

impl Reason {
    /// Every reason.
    pub const ALL: [Self; 16] = [
        Self::Added,
        Self::Addresses,
        Self::CaaForbids,
        Self::CaaAtTarget,
        Self::Certificate,
        Self::Cname,
        Self::Dangling,
        Self::Disagreement,
        Self::Elsewhere,
        Self::Flattened,
        Self::Loop,
        Self::NoCname,
        Self::NoName,
        Self::Removed,
        Self::TooLong,
        Self::Wildcard,
    ];

    /// A short stable word.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Addresses => "addresses",
            Self::CaaForbids => "caa_forbids",
            Self::CaaAtTarget => "caa_at_target",
            Self::Certificate => "certificate",
            Self::Cname => "cname",
            Self::Dangling => "dangling",
            Self::Disagreement => "disagreement",
            Self::Elsewhere => "elsewhere",
            Self::Flattened => "flattened",
            Self::Loop => "loop",
            Self::NoCname => "no_cname",
            Self::NoName => "no_name",
            Self::Removed => "removed",
            Self::TooLong => "too_long",
            Self::Wildcard => "wildcard",
        }
    }

    /// The reason of a code.
    pub fn of(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.code() == code)
    }

    /// Who must act.
    pub const fn who(self) -> Who {
        match self {
            Self::Added | Self::Certificate | Self::Cname | Self::Flattened | Self::Removed => {
                Who::Nobody
            }
            Self::CaaAtTarget => Who::Platform,
            _ => Who::Customer,
        }
    }

    /// Why this matters, in one sentence.
    pub const fn why(self) -> &'static str {
        match self {
            Self::Added => "the DNS has not been asked yet",
            Self::Addresses => {
                "the name has addresses that are not ours: another site, or a proxy (CDN) that \
                 hides where it leads; visitors do not reach us directly"
            }
            Self::CaaForbids => {
                "the domain's CAA records do not let our certification authority issue, so links \
                 cannot have HTTPS"
            }
            Self::CaaAtTarget => {
                "the CAA records at the target do not let our certification authority issue"
            }
            Self::Certificate => "the name leads to us and its certificate is held",
            Self::Cname => "the name leads to us",
            Self::Dangling => "the CNAME leads to a name that does not exist",
            Self::Disagreement => {
                "the domain's own DNS servers give different answers, so visitors reach us or not \
                 by chance; a server may not have the newest zone yet"
            }
            Self::Elsewhere => "the CNAME leads to another name, so visitors do not reach us",
            Self::Flattened => {
                "the name has our addresses and no CNAME (ALIAS or flattening): it works until our \
                 addresses change"
            }
            Self::Loop => "the CNAMEs lead in a circle, so the name has no address",
            Self::NoCname => "the name exists and has no CNAME, so visitors do not reach us",
            Self::NoName => "the name does not exist in the DNS yet",
            Self::Removed => "it was removed",
            Self::TooLong => "there are more CNAMEs in a row than resolvers follow",
            Self::Wildcard => {
                "every name beside it leads to us too (a wildcard CNAME), so we cannot tell which \
                 are meant: publish the name itself, or have it listed"
            }
        }
    }

    /// The record to paste, where there is one.
    pub fn record(
        self,
        name: &Hostname,
        target: &Hostname,
        authority: Option<&str>,
    ) -> Option<String> {
        match self {
            Self::Addresses
            | Self::Dangling
            | Self::Disagreement
            | Self::Elsewhere
            | Self::Flattened
            | Self::Loop
            | Self::NoCname
            | Self::NoName
            | Self::TooLong
            | Self::Wildcard => Some(format!("{name}. CNAME {target}.")),
            Self::CaaForbids => authority.map(|ca| format!("{name}. CAA 0 issue \"{ca}\"")),
            Self::CaaAtTarget => authority.map(|ca| format!("{target}. CAA 0 issue \"{ca}\"")),
            Self::Added | Self::Certificate | Self::Cname | Self::Removed => None,
        }
    }
}

impl Who {
    /// Its name, in JSON and events.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Customer => "customer",
            Self::Platform => "platform",
            Self::Ca => "ca",
            Self::Nobody => "nobody",
        }
    }
}

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
