//! Domain names as records write them: any characters between dots.
//!
//! What SPF looks up is made of macros, and may hold what no host is called: spaces, colons,
//! slashes. Such names are asked for as they are; DNS says that they do not exist.

use crate::dns::Name;

/// Whether DNS can be asked for it. A dot at the end is the root's and is allowed.
pub(super) fn is_askable(name: &str) -> bool {
    Name::parse(name).is_ok_and(|name| !name.is_root())
}

/// The name in the form in which names are compared: lower case, without the root's dot.
pub(super) fn normal(name: &str) -> String {
    bare(name).to_ascii_lowercase()
}

/// The name without the root's dot.
pub(super) fn bare(name: &str) -> &str {
    name.strip_suffix('.').unwrap_or(name)
}

/// Whether it is a hostname of at least two labels: letters, digits, hyphens and underscores.
pub(super) fn is_hostname(name: &str) -> bool {
    let host = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    let last = bare(name).rsplit('.').next().unwrap_or_default();
    is_askable(name)
        && name.bytes().all(host)
        && bare(name).contains('.')
        && !last.bytes().all(|byte| byte.is_ascii_digit())
        && bare(name).split('.').all(|label| !label.starts_with('-') && !label.ends_with('-'))
}

/// The longest name, in bytes as it is written (RFC 7208 §7.3).
pub(super) const MAX_NAME: usize = 253;
