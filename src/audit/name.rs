//! Domain names as records write them: any characters between dots.
//!
//! What SPF looks up is made of macros, and may hold what no host is called: spaces, colons,
//! slashes. Such names are asked for as they are; DNS says that they do not exist.

/// Whether DNS can be asked for it: labels of 1 to 63 bytes, 253 bytes in all (RFC 1035 §2.3.4).
/// A dot at the end is the root's and is allowed.
pub(super) fn is_askable(name: &str) -> bool {
    let bare = bare(name);
    !bare.is_empty()
        && bare.len() <= MAX_NAME
        && bare.split('.').all(|label| (1..=MAX_LABEL).contains(&label.len()))
}

/// The name in the form in which names are compared: lower case, without the root's dot.
pub(super) fn normal(name: &str) -> String {
    bare(name).to_ascii_lowercase()
}

/// The name without the root's dot.
pub(super) fn bare(name: &str) -> &str {
    name.strip_suffix('.').unwrap_or(name)
}

/// Whether `name` is `domain` or lies below it, both in any case.
pub(super) fn is_within(name: &str, domain: &str) -> bool {
    let (name, domain) = (normal(name), normal(domain));
    name.strip_suffix(domain.as_str())
        .is_some_and(|before| before.is_empty() || before.ends_with('.'))
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
const MAX_LABEL: usize = 63;
