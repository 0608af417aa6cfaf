//! Hostnames as they travel in SNI, `Host` and configuration: one normal form for all three.
//!
//! The normal form is lower case, without port and without the root's trailing dot (RFC 1034
//! §3.1, RFC 9110 §4.2.3), so that two names are equal exactly when their bytes are.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;
use std::sync::Arc;

use thiserror::Error;

/// A DNS hostname in normal form: letters, digits, hyphens and underscores in labels of at most
/// 63 bytes, 253 bytes in all (RFC 1123 §2.1; the underscore because customers publish it).
///
/// Cloning copies a pointer.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Hostname(Arc<str>);

impl Hostname {
    /// Reads a bare name such as `trk.example.com` or `TRK.Example.com.`, without a port.
    pub fn parse(text: &str) -> Result<Self, HostnameError> {
        let bare = text.strip_suffix('.').unwrap_or(text);
        if bare.is_empty() {
            return Err(HostnameError::Empty);
        }
        if bare.len() > MAX_LENGTH {
            return Err(HostnameError::TooLong(bare.len()));
        }
        if bare.parse::<IpAddr>().is_ok() || bare.starts_with('[') {
            return Err(HostnameError::Address);
        }
        for label in bare.split('.') {
            check_label(label)?;
        }
        if bare.bytes().any(|byte| byte.is_ascii_uppercase()) {
            return Ok(Self(bare.to_ascii_lowercase().into()));
        }
        Ok(Self(bare.into()))
    }

    /// Reads the value of a `Host` field or an `:authority`: a name with an optional port
    /// (RFC 9110 §7.2). Userinfo is refused.
    pub fn from_authority(text: &str) -> Result<Self, HostnameError> {
        let name = match text.rsplit_once(':') {
            Some((name, port)) if port.len() <= 5 && port.bytes().all(|b| b.is_ascii_digit()) => {
                name
            }
            _ => text,
        };
        Self::parse(name)
    }

    /// The name in normal form.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Hostname {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Hostname {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Hostname {
    type Err = HostnameError;

    fn from_str(text: &str) -> Result<Self, HostnameError> {
        Self::parse(text)
    }
}

/// Why a text is no hostname. Always the fault of whoever wrote it; never worth a retry.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum HostnameError {
    /// An IP address: certificates and links are for names.
    #[error("is an IP address, expected a name such as trk.example.com")]
    Address,
    /// Nothing is left without the trailing dot.
    #[error("is empty, expected a name such as trk.example.com")]
    Empty,
    /// A label is empty: two dots in a row or a leading dot.
    #[error("has an empty label")]
    EmptyLabel,
    /// A label starts or ends with a hyphen.
    #[error("has a label that starts or ends with a hyphen")]
    Hyphen,
    /// A label is longer than 63 bytes.
    #[error("has a label of {0} bytes, at most 63 are allowed")]
    LongLabel(usize),
    /// The whole name is longer than 253 bytes.
    #[error("is {0} bytes long, at most 253 are allowed")]
    TooLong(usize),
    /// A byte that a hostname cannot hold; names beyond ASCII are written in punycode.
    #[error(
        "holds the byte {0:#04x}, expected a bare name without scheme or port: letters, digits, \
         hyphens and dots (xn--… beyond ASCII)"
    )]
    WrongByte(u8),
}

fn check_label(label: &str) -> Result<(), HostnameError> {
    if label.is_empty() {
        return Err(HostnameError::EmptyLabel);
    }
    if label.len() > MAX_LABEL {
        return Err(HostnameError::LongLabel(label.len()));
    }
    if label.starts_with('-') || label.ends_with('-') {
        return Err(HostnameError::Hyphen);
    }
    match label.bytes().find(|byte| !(byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')))
    {
        Some(byte) => Err(HostnameError::WrongByte(byte)),
        None => Ok(()),
    }
}

const MAX_LENGTH: usize = 253;
const MAX_LABEL: usize = 63;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_port_and_trailing_dot_do_not_tell_names_apart() {
        let name = Hostname::parse("trk.example.com").unwrap();
        for text in
            ["TRK.example.COM", "trk.example.com.", "trk.example.com:8443", "trk.example.com.:80"]
        {
            assert_eq!(Hostname::from_authority(text).unwrap(), name, "{text}");
        }
    }

    #[test]
    fn what_is_no_name_is_refused_with_its_reason() {
        let long_label = format!("{}.example.com", "a".repeat(64));
        let long_name = ["a".repeat(60).as_str(); 5].join(".");
        for (text, error) in [
            ("", HostnameError::Empty),
            (".", HostnameError::Empty),
            ("a..b", HostnameError::EmptyLabel),
            (".a", HostnameError::EmptyLabel),
            ("-a.example", HostnameError::Hyphen),
            ("127.0.0.1", HostnameError::Address),
            ("[::1]", HostnameError::Address),
            ("user@example.com", HostnameError::WrongByte(b'@')),
            ("exämple.com", HostnameError::WrongByte(0xc3)),
            ("a b", HostnameError::WrongByte(b' ')),
            (long_label.as_str(), HostnameError::LongLabel(64)),
            (long_name.as_str(), HostnameError::TooLong(304)),
        ] {
            assert_eq!(Hostname::from_authority(text).unwrap_err(), error, "{text}");
        }
    }
}
