//! Report addresses (RFC 9989 §4.6, §4.8).

use crate::audit::piece::Piece;
use crate::audit::tags::items;
use crate::audit::{Span, mailbox};

/// One address of `rua` or `ruf`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReportUri {
    /// The address, an obsolete size limit taken off.
    pub text: String,
    /// Where it stands in the record.
    pub span: Span,
    /// The host of a valid `mailto:` address.
    pub host: Option<String>,
    /// Whether it is a URI at all (RFC 3986), which decides whether a record has any.
    pub is_uri: bool,
    /// The size limit behind a `!`, which RFC 7489 had.
    pub limit: Option<String>,
}

/// The addresses of a list.
pub(super) fn uris(value: Piece<'_>) -> Vec<ReportUri> {
    items(value, ',').filter(|item| !item.text().is_empty()).map(uri).collect()
}

fn uri(item: Piece<'_>) -> ReportUri {
    let (text, limit) = match item.split_once('!') {
        Some((text, limit)) if is_limit(limit.text()) => {
            (text.text(), Some(limit.text().to_owned()))
        }
        _ => (item.text(), None),
    };
    let host = mail_host(text).map(str::to_owned);
    let is_mailto = scheme(text).is_some_and(|scheme| scheme.eq_ignore_ascii_case("mailto"));
    let is_uri = if is_mailto { host.is_some() } else { is_uri(text) };
    ReportUri { text: text.to_owned(), span: item.span(), host, is_uri, limit }
}

/// The host of an address `mailto:local@host`.
fn mail_host(text: &str) -> Option<&str> {
    if !scheme(text)?.eq_ignore_ascii_case("mailto") || !is_uri(text) {
        return None;
    }
    let (_, rest) = text.split_once(':')?;
    let (local, host) = mailbox::parts(rest)?;
    (!local.is_empty()).then_some(host)
}

fn scheme(text: &str) -> Option<&str> {
    let (scheme, _) = text.split_once(':')?;
    let is_scheme = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.'));
    is_scheme.then_some(scheme)
}

/// Whether a text has a scheme and only the characters of URIs; commas and exclamation marks have
/// to be encoded here.
fn is_uri(text: &str) -> bool {
    let allowed =
        |byte: u8| byte.is_ascii_alphanumeric() || b"-._~:/?#[]@$&'()*+;=%".contains(&byte);
    let rest = scheme(text).and_then(|scheme| text.get(scheme.len() + 1..));
    rest.is_some_and(|rest| !rest.is_empty() && rest.bytes().all(allowed) && is_encoded(rest))
}

/// Whether each percent sign is followed by two hexadecimal digits.
fn is_encoded(text: &str) -> bool {
    text.split('%')
        .skip(1)
        .all(|rest| rest.len() >= 2 && rest.bytes().take(2).all(|byte| byte.is_ascii_hexdigit()))
}

/// A number and an optional unit, as RFC 7489 §6.2 had them.
fn is_limit(text: &str) -> bool {
    let digits = text.trim_end_matches(|c: char| "kmgtKMGT".contains(c));
    text.len() - digits.len() <= 1
        && !digits.is_empty()
        && digits.bytes().all(|byte| byte.is_ascii_digit())
}
