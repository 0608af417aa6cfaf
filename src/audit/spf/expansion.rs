//! What macros stand for (RFC 7208 §7.2 to §7.4).

use std::borrow::Cow;
use std::fmt::Write;
use std::net::IpAddr;

use super::{DomainSpec, Part};
use crate::audit::name::MAX_NAME;
use crate::clock::Timestamp;

/// What the macros of one evaluation stand for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Variables<'a> {
    /// The local part of the sender.
    pub(super) local: &'a str,
    /// The domain of the sender.
    pub(super) sender_domain: &'a str,
    /// The domain whose record is evaluated.
    pub(super) domain: &'a str,
    /// The client's address.
    pub(super) ip: IpAddr,
    /// The name that the client gave itself.
    pub(super) helo: &'a str,
    /// A name of the client's address that was validated.
    pub(super) validated: Option<&'a str>,
    /// When the check is made.
    pub(super) now: Timestamp,
}

/// The domain that a term names, no longer than a name may be: labels are cut off on the left
/// (§7.3).
pub(super) fn target(spec: &DomainSpec, variables: &Variables<'_>) -> String {
    let mut name = String::new();
    for part in &spec.parts {
        append(&mut name, part, variables);
        // Only the right end counts, so a record full of macros need not become a long text.
        if name.len() > 4 * MAX_NAME {
            let cut = name.ceil_char_boundary(name.len() - 2 * MAX_NAME);
            name.drain(..cut);
        }
    }
    let mut rest = name.as_str();
    while rest.strip_suffix('.').unwrap_or(rest).len() > MAX_NAME {
        rest = rest.split_once('.').map_or("", |(_, rest)| rest);
    }
    rest.to_owned()
}

/// A text with its macros resolved; `None` when it would become longer than `limit` bytes.
pub(super) fn text(spec: &DomainSpec, variables: &Variables<'_>, limit: usize) -> Option<String> {
    let mut text = String::new();
    for part in &spec.parts {
        append(&mut text, part, variables);
        if text.len() > limit {
            return None;
        }
    }
    Some(text)
}

fn append(out: &mut String, part: &Part, variables: &Variables<'_>) {
    match part {
        Part::Literal(text) => out.push_str(text),
        Part::Macro { letter, is_escaped, keep, is_reversed, delimiters } => {
            let value = variables.of(*letter);
            let value = transformed(value, *keep, *is_reversed, delimiters);
            if *is_escaped { escape(out, &value) } else { out.push_str(&value) }
        }
    }
}

impl Variables<'_> {
    fn of(&self, letter: u8) -> Cow<'_, str> {
        match letter {
            b's' => format!("{}@{}", self.local, self.sender_domain).into(),
            b'l' => self.local.into(),
            b'o' => self.sender_domain.into(),
            b'd' => self.domain.into(),
            b'i' => dotted(self.ip).into(),
            b'p' => self.validated.unwrap_or(UNKNOWN).into(),
            b'v' => if self.ip.is_ipv4() { "in-addr" } else { "ip6" }.into(),
            b'h' => self.helo.into(),
            b'c' => self.ip.to_string().into(),
            b't' => self.now.seconds().to_string().into(),
            // The receiving host's name: nobody who audits is one (§7.3 names this word for it).
            _ => UNKNOWN.into(),
        }
    }
}

/// An address as names are made of it: the four numbers of an IPv4 address, the 32 half-bytes of
/// an IPv6 address in hexadecimal digits. To DNS their case is the same; explanations have always
/// shown them in capitals, beside the `%{c}` that people read.
fn dotted(ip: IpAddr) -> String {
    let IpAddr::V6(ip) = ip else { return ip.to_string() };
    let mut name = String::with_capacity(63);
    for byte in ip.octets() {
        let dot = if name.is_empty() { "" } else { "." };
        // Writing to a string cannot fail.
        let _ok = write!(name, "{dot}{:X}.{:X}", byte >> 4, byte & 15);
    }
    name
}

fn transformed<'a>(
    value: Cow<'a, str>,
    keep: Option<usize>,
    is_reversed: bool,
    delimiters: &str,
) -> Cow<'a, str> {
    if keep.is_none() && !is_reversed && delimiters.is_empty() {
        return value;
    }
    let delimiters = if delimiters.is_empty() { "." } else { delimiters };
    let mut parts: Vec<&str> = value.split(|c| delimiters.contains(c)).collect();
    if is_reversed {
        parts.reverse();
    }
    let skipped = parts.len().saturating_sub(keep.unwrap_or(parts.len()));
    parts[skipped..].join(".").into()
}

/// Percent-encodes everything but the unreserved characters of RFC 3986 §2.3.
fn escape(out: &mut String, value: &str) {
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            out.push(char::from(byte));
        } else {
            let _ok = write!(out, "%{byte:02X}");
        }
    }
}

/// What stands for a name that is not known (§7.3).
const UNKNOWN: &str = "unknown";
