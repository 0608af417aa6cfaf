//! Names of the DNS, which hold more than hostnames do.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use thiserror::Error;

use crate::hostname::Hostname;

/// A name of the DNS in normal form: lower case, without the root's trailing dot, so that two
/// names are equal exactly when their bytes are (RFC 4343). The root itself is empty, and is
/// displayed as a dot.
///
/// Labels may hold any character but a dot: names such as `_dmarc.example.com` and those that
/// SPF macros make are names here. Cloning copies a pointer.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Name(Arc<str>);

/// Why a text is no name of the DNS: the fault of whoever wrote it, never worth a retry.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum NameError {
    /// Two dots in a row, or a leading dot.
    #[error("has an empty label")]
    EmptyLabel,
    /// A label is longer than 63 bytes.
    #[error("has a label of {0} bytes, at most 63 are allowed")]
    LongLabel(usize),
    /// The whole name is longer than 253 bytes.
    #[error("is {0} bytes long, at most 253 are allowed")]
    TooLong(usize),
}

impl Name {
    /// Reads a name, with or without its final dot.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        let bare = text.strip_suffix('.').unwrap_or(text);
        if bare.is_empty() {
            return Ok(Self::root());
        }
        if bare.len() > MAX_LENGTH {
            return Err(NameError::TooLong(bare.len()));
        }
        for label in bare.split('.') {
            match label.len() {
                0 => return Err(NameError::EmptyLabel),
                length if length > MAX_LABEL => return Err(NameError::LongLabel(length)),
                _ => {}
            }
        }
        Ok(Self(bare.to_ascii_lowercase().into()))
    }

    /// The root of the DNS.
    pub fn root() -> Self {
        Self("".into())
    }

    /// The name under which an address's names are kept (RFC 1035 §3.5, RFC 3596 §2.5).
    pub fn reverse(address: IpAddr) -> Self {
        let text = match address {
            IpAddr::V4(v4) => {
                let [a, b, c, d] = v4.octets();
                format!("{d}.{c}.{b}.{a}.in-addr.arpa")
            }
            IpAddr::V6(v6) => {
                let nibbles = v6.octets().into_iter().rev().flat_map(|byte| [byte & 15, byte >> 4]);
                let labels: Vec<_> = nibbles.map(|nibble| format!("{nibble:x}")).collect();
                format!("{}.ip6.arpa", labels.join("."))
            }
        };
        Self(text.into())
    }

    /// The name with one more label in front.
    pub fn under(&self, label: &str) -> Result<Self, NameError> {
        if self.is_root() { Self::parse(label) } else { Self::parse(&format!("{label}.{self}")) }
    }

    /// The name without its first label; `None` for the root.
    pub fn parent(&self) -> Option<Self> {
        if self.is_root() {
            return None;
        }
        Some(self.0.split_once('.').map_or_else(Self::root, |(_, rest)| Self(rest.into())))
    }

    /// The first label; empty for the root.
    pub fn first_label(&self) -> &str {
        self.0.split('.').next().unwrap_or_default()
    }

    /// The labels, the first one first; none for the root.
    pub fn labels(&self) -> impl DoubleEndedIterator<Item = &str> {
        self.0.split('.').filter(|label| !label.is_empty())
    }

    /// Whether this is `ancestor` or below it.
    pub fn is_within(&self, ancestor: &Self) -> bool {
        ancestor.is_root()
            || self.0.strip_suffix(&*ancestor.0).is_some_and(|f| f.is_empty() || f.ends_with('.'))
    }

    /// Whether this is the root.
    pub fn is_root(&self) -> bool {
        self.0.is_empty()
    }

    /// The name without a final dot; empty for the root.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&Hostname> for Name {
    fn from(host: &Hostname) -> Self {
        // A hostname is in normal form, and within the same lengths.
        Self(host.as_str().into())
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_root() { "." } else { &self.0 })
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

const MAX_LENGTH: usize = 253;
const MAX_LABEL: usize = 63;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_equal_whatever_their_case_and_final_dot() {
        let name = Name::parse("_DMARC.Example.COM.").unwrap();
        assert_eq!(name, Name::parse("_dmarc.example.com").unwrap());
        assert_eq!((name.first_label(), name.labels().count()), ("_dmarc", 3));
        assert_eq!(name.parent().unwrap().as_str(), "example.com");
        assert_eq!(Name::parse(".").unwrap(), Name::root());
        assert_eq!(Name::parse("com").unwrap().parent(), Some(Name::root()));
        assert_eq!(Name::root().parent(), None);
    }

    #[test]
    fn a_name_is_within_itself_and_its_ancestors_and_no_other() {
        let name = Name::parse("a.example.com").unwrap();
        for (other, expected) in [
            ("a.example.com", true),
            ("example.com", true),
            (".", true),
            ("ample.com", false),
            ("b.example.com", false),
            ("x.a.example.com", false),
        ] {
            assert_eq!(name.is_within(&Name::parse(other).unwrap()), expected, "{other}");
        }
    }

    #[test]
    fn what_cannot_be_asked_is_refused() {
        assert_eq!(Name::parse("a..b"), Err(NameError::EmptyLabel));
        assert_eq!(Name::parse(&"a".repeat(64)), Err(NameError::LongLabel(64)));
        let long = ["a".repeat(63).as_str(); 4].join(".");
        assert_eq!(Name::parse(&long), Err(NameError::TooLong(255)));
    }

    #[test]
    fn addresses_have_their_names() {
        let name = |text: &str| Name::reverse(text.parse().unwrap()).to_string();
        assert_eq!(name("192.0.2.1"), "1.2.0.192.in-addr.arpa");
        let six = name("2001:db8::1");
        assert!(six.starts_with("1.0.0.0.") && six.ends_with(".8.b.d.0.1.0.0.2.ip6.arpa"), "{six}");
    }
}
