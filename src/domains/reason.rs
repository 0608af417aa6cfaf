//! Why a domain is in its state, in words for the person who must act.

use std::fmt;

use super::State;
use crate::hostname::Hostname;

/// Why. The code is stable; fields are added, never renamed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    /// It was just added.
    Added,
    /// The addresses are another's.
    Addresses,
    /// As many certificates were ordered as may be.
    Budget,
    /// The authority does not take our account.
    CaAccount,
    /// CAA records forbid it, by what the authority sees.
    CaCaa,
    /// The authority allows no more now.
    CaLimits,
    /// The authority does not certify this name.
    CaRejects,
    /// The authority does not answer, or not usably.
    CaUnavailable,
    /// The CAA records of our own target do not.
    CaaAtTarget,
    /// CAA records do not let our authorities certify.
    CaaForbids,
    /// A certificate is held.
    Certificate,
    /// The authority did not find our answer to its challenge.
    Challenge,
    /// The authority did not find our address.
    ChallengeDns,
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
    /// Something of ours failed.
    Node,
    /// A certificate has been ordered.
    Ordered,
    /// Somebody removed it.
    Removed,
    /// More CNAMEs than anybody follows.
    TooLong,
    /// Our own look at port 80 did not find us.
    Unreachable,
    /// What the authority gave may not be served.
    Unusable,
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
    pub const ALL: [Self; 28] = [
        Self::Added,
        Self::Addresses,
        Self::Budget,
        Self::CaAccount,
        Self::CaCaa,
        Self::CaLimits,
        Self::CaRejects,
        Self::CaUnavailable,
        Self::CaaAtTarget,
        Self::CaaForbids,
        Self::Certificate,
        Self::Challenge,
        Self::ChallengeDns,
        Self::Cname,
        Self::Dangling,
        Self::Disagreement,
        Self::Elsewhere,
        Self::Flattened,
        Self::Loop,
        Self::NoCname,
        Self::NoName,
        Self::Node,
        Self::Ordered,
        Self::Removed,
        Self::TooLong,
        Self::Unreachable,
        Self::Unusable,
        Self::Wildcard,
    ];

    /// A short stable word.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Addresses => "addresses",
            Self::Budget => "budget",
            Self::CaAccount => "ca_account",
            Self::CaCaa => "ca_caa",
            Self::CaLimits => "ca_limits",
            Self::CaRejects => "ca_rejects",
            Self::CaUnavailable => "ca_unavailable",
            Self::CaaAtTarget => "caa_at_target",
            Self::CaaForbids => "caa_forbids",
            Self::Certificate => "certificate",
            Self::Challenge => "challenge",
            Self::ChallengeDns => "challenge_dns",
            Self::Cname => "cname",
            Self::Dangling => "dangling",
            Self::Disagreement => "disagreement",
            Self::Elsewhere => "elsewhere",
            Self::Flattened => "flattened",
            Self::Loop => "loop",
            Self::NoCname => "no_cname",
            Self::NoName => "no_name",
            Self::Node => "node",
            Self::Ordered => "ordered",
            Self::Removed => "removed",
            Self::TooLong => "too_long",
            Self::Unreachable => "unreachable",
            Self::Unusable => "unusable",
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
            Self::Added
            | Self::CaLimits
            | Self::Certificate
            | Self::Cname
            | Self::Flattened
            | Self::Ordered
            | Self::Removed => Who::Nobody,
            Self::Budget
            | Self::CaAccount
            | Self::CaaAtTarget
            | Self::Challenge
            | Self::Node
            | Self::Unreachable => Who::Platform,
            Self::CaRejects | Self::CaUnavailable | Self::Unusable => Who::Ca,
            _ => Who::Customer,
        }
    }

    /// The state that an order comes to by it.
    pub(super) const fn state(self) -> State {
        match self {
            Self::Budget => State::Blocked,
            _ => State::Failing,
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
            Self::Budget => {
                "as many certificates have been ordered as our limits allow; the next is ordered when there is room"
            }
            Self::CaAccount => "the certification authority does not accept our account",
            Self::CaCaa => {
                "the domain's CAA records, as the certification authority sees them, do not let it \
                 issue, so links cannot have HTTPS"
            }
            Self::CaLimits => {
                "the certification authority allows no more orders now; it is asked again when it said"
            }
            Self::CaRejects => {
                "the certification authority does not certify this name, by a rule of its own"
            }
            Self::CaUnavailable => {
                "the certification authority does not answer, or not usably; it is asked again"
            }
            Self::Challenge => {
                "the certification authority looked at this name on port 80 and did not find our answer there"
            }
            Self::ChallengeDns => {
                "the certification authority found no address for this name, or found DNS servers that fail"
            }
            Self::Node => {
                "something of ours failed while the certificate was ordered; it is tried again"
            }
            Self::Ordered => "a certificate has been ordered",
            Self::Unreachable => {
                "our own look at this name on port 80 did not find us, so the authority would not either"
            }
            Self::Unusable => {
                "the certification authority gave a certificate that may not be served; another is ordered"
            }
            Self::Wildcard => {
                "every name beside it leads to us too (a wildcard CNAME): have the name listed, or \
                 publish the names that are meant in place of the wildcard"
            }
        }
    }

    /// The record to paste, where there is one; `admission` is the CAA record that lets our
    /// authority certify.
    pub fn record(
        self,
        name: &Hostname,
        target: &Hostname,
        admission: Option<String>,
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
            | Self::TooLong => Some(format!("{name}. CNAME {target}.")),
            Self::CaaForbids | Self::CaaAtTarget => admission,
            _ => None,
        }
    }
}

impl Who {
    /// The one of a name.
    pub fn named(name: &str) -> Option<Self> {
        let all = [Self::Customer, Self::Platform, Self::Ca, Self::Nobody];
        all.into_iter().find(|who| who.name() == name)
    }

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
