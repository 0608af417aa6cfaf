//! What an SPF record is made of (RFC 7208 §4.6, §5, §6, §12).

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

use serde_json::{Value, json};

use super::{DomainSpec, Fault, is_record};
use crate::audit::Span;

/// A record that was read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Record {
    /// The terms that could be read, in order.
    pub terms: Vec<Term>,
    /// Every syntax error. One is enough to make the record permerror (§4.6).
    pub faults: Vec<Fault>,
}

/// One term.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Term {
    /// Where it stands in the record.
    pub span: Span,
    /// What it is.
    pub kind: TermKind,
}

/// A directive or a modifier.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TermKind {
    /// A mechanism with its qualifier.
    Directive(Directive),
    /// `redirect=`: the record that holds when no mechanism of this one matches (§6.1).
    Redirect(DomainSpec),
    /// `exp=`: where the explanation of a fail stands (§6.2).
    Explanation(DomainSpec),
    /// A modifier of another name, which is ignored (§6).
    Unknown {
        /// Its name.
        name: String,
    },
}

/// A mechanism with its qualifier.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Directive {
    /// The result of a match.
    pub qualifier: Qualifier,
    /// What matches.
    pub mechanism: Mechanism,
}

/// The result that a matching mechanism gives (§4.6.2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Qualifier {
    /// `+`, or none.
    #[default]
    Pass,
    /// `-`
    Fail,
    /// `~`
    SoftFail,
    /// `?`
    Neutral,
}

/// What a directive matches (§5).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mechanism {
    /// Everybody.
    All,
    /// Whoever passes the record of another name.
    Include(DomainSpec),
    /// The addresses of a name.
    A {
        /// The name; the domain itself without one.
        domain: Option<DomainSpec>,
        /// How much of an address has to be equal.
        prefixes: Prefixes,
    },
    /// The addresses of a name's mail exchangers.
    Mx {
        /// The name; the domain itself without one.
        domain: Option<DomainSpec>,
        /// How much of an address has to be equal.
        prefixes: Prefixes,
    },
    /// Addresses whose own names lie in a domain.
    Ptr {
        /// The domain; the domain itself without one.
        domain: Option<DomainSpec>,
    },
    /// An IPv4 network.
    Ip4 {
        /// An address of it.
        network: Ipv4Addr,
        /// How many bits of it count.
        prefix: u8,
    },
    /// An IPv6 network.
    Ip6 {
        /// An address of it.
        network: Ipv6Addr,
        /// How many bits of it count.
        prefix: u8,
    },
    /// Everybody for whom a name exists.
    Exists(DomainSpec),
}

/// How many bits of an address count, for each family.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Prefixes {
    /// Of an IPv4 address.
    pub ip4: u8,
    /// Of an IPv6 address.
    pub ip6: u8,
}

impl Default for Prefixes {
    fn default() -> Self {
        Self { ip4: 32, ip6: 128 }
    }
}

impl Record {
    /// The directives with their terms, in order.
    pub fn directives(&self) -> impl Iterator<Item = (&Term, &Directive)> {
        self.terms.iter().filter_map(|term| match &term.kind {
            TermKind::Directive(directive) => Some((term, directive)),
            _ => None,
        })
    }

    /// The first `all`, behind which nothing is evaluated.
    pub fn all(&self) -> Option<(&Term, Qualifier)> {
        let all = |(term, directive): (_, &Directive)| {
            (directive.mechanism == Mechanism::All).then_some((term, directive.qualifier))
        };
        self.directives().find_map(all)
    }

    /// The `redirect` modifier, whether or not an `all` makes it void.
    pub fn redirect(&self) -> Option<(&Term, &DomainSpec)> {
        self.terms.iter().find_map(|term| match &term.kind {
            TermKind::Redirect(domain) => Some((term, domain)),
            _ => None,
        })
    }

    /// The `exp` modifier.
    pub fn explanation(&self) -> Option<&DomainSpec> {
        self.terms.iter().find_map(|term| match &term.kind {
            TermKind::Explanation(domain) => Some(domain),
            _ => None,
        })
    }
}

impl Record {
    /// What is in force, as `--json` prints it; `text` is what the record was read from.
    pub fn json(&self, text: &str) -> Value {
        let term = |term: &Term| {
            let qualifier = match &term.kind {
                TermKind::Directive(directive) => Some(directive.qualifier.to_string()),
                _ => None,
            };
            json!({
                "term": term.span.of(text),
                "qualifier": qualifier,
                "lookup": term.kind.is_lookup(),
            })
        };
        json!({
            "valid": is_record(text) && self.faults.is_empty(),
            "terms": self.terms.iter().map(term).collect::<Vec<_>>(),
        })
    }
}

impl TermKind {
    /// Whether evaluating it causes DNS lookups that are limited (§4.6.4). `exp` does not.
    pub fn is_lookup(&self) -> bool {
        match self {
            Self::Directive(directive) => match directive.mechanism {
                Mechanism::Include(_)
                | Mechanism::A { .. }
                | Mechanism::Mx { .. }
                | Mechanism::Ptr { .. }
                | Mechanism::Exists(_) => true,
                Mechanism::All | Mechanism::Ip4 { .. } | Mechanism::Ip6 { .. } => false,
            },
            Self::Redirect(_) => true,
            Self::Explanation(_) | Self::Unknown { .. } => false,
        }
    }

    /// The domain that it names.
    pub fn domain(&self) -> Option<&DomainSpec> {
        match self {
            Self::Directive(directive) => match &directive.mechanism {
                Mechanism::Include(domain) | Mechanism::Exists(domain) => Some(domain),
                Mechanism::A { domain, .. }
                | Mechanism::Mx { domain, .. }
                | Mechanism::Ptr { domain } => domain.as_ref(),
                Mechanism::All | Mechanism::Ip4 { .. } | Mechanism::Ip6 { .. } => None,
            },
            Self::Redirect(domain) | Self::Explanation(domain) => Some(domain),
            Self::Unknown { .. } => None,
        }
    }
}

impl fmt::Display for Qualifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pass => "+",
            Self::Fail => "-",
            Self::SoftFail => "~",
            Self::Neutral => "?",
        })
    }
}
