//! The values of DMARC tags (RFC 9989 §4.7).

use std::fmt;

/// What a domain's owner asks for mail that fails.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Policy {
    /// Nothing.
    #[default]
    None,
    /// To be suspicious of it.
    Quarantine,
    /// To refuse it.
    Reject,
}

/// How near an authenticated domain has to be to the author's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Alignment {
    /// Of the same organizational domain.
    #[default]
    Relaxed,
    /// The same domain.
    Strict,
}

/// Whether a domain is a public suffix.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum PublicSuffix {
    /// It does not say.
    #[default]
    Unknown,
    /// It is one.
    Yes,
    /// It is none, and an organizational domain.
    No,
}

impl Policy {
    /// Reads a value, in any case (RFC 9989 §4.8).
    pub fn parse(text: &str) -> Option<Self> {
        let is = |name| text.eq_ignore_ascii_case(name);
        match () {
            () if is("none") => Some(Self::None),
            () if is("quarantine") => Some(Self::Quarantine),
            () if is("reject") => Some(Self::Reject),
            () => None,
        }
    }

    /// The policy one level below: what `t=y` makes of it.
    #[must_use]
    pub fn lowered(self) -> Self {
        match self {
            Self::Reject => Self::Quarantine,
            Self::Quarantine | Self::None => Self::None,
        }
    }
}

impl Alignment {
    /// Reads a value, in any case.
    pub fn parse(text: &str) -> Option<Self> {
        let is = |name| text.eq_ignore_ascii_case(name);
        if is("r") { Some(Self::Relaxed) } else { is("s").then_some(Self::Strict) }
    }
}

impl PublicSuffix {
    /// Reads a value, in any case.
    pub fn parse(text: &str) -> Option<Self> {
        let is = |name| text.eq_ignore_ascii_case(name);
        match () {
            () if is("u") => Some(Self::Unknown),
            () if is("y") => Some(Self::Yes),
            () if is("n") => Some(Self::No),
            () => None,
        }
    }
}

impl fmt::Display for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::None => "none",
            Self::Quarantine => "quarantine",
            Self::Reject => "reject",
        })
    }
}

impl fmt::Display for Alignment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Relaxed => "relaxed",
            Self::Strict => "strict",
        })
    }
}
