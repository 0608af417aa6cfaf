//! Mail addresses in records.

use super::name;

/// Local part and host of a mail address, its headers (`?subject=…` of RFC 6068) taken off.
pub(super) fn parts(text: &str) -> Option<(&str, &str)> {
    let bare = text.split_once('?').map_or(text, |(before, _)| before);
    let (local, host) = bare.rsplit_once('@')?;
    (!local.is_empty() && name::is_hostname(host)).then_some((local, host))
}
