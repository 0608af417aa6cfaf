//! Records to publish instead of faulty ones.

use super::record::VERSION;
use crate::audit::mailbox;
use crate::audit::tags::{Segment, segments};

/// The record with its discarded addresses put where they belong, and with what is discarded
/// anyway left out.
pub(super) fn mended(text: &str) -> Option<String> {
    let (mut kept, mut lost): (Vec<String>, Vec<String>) = (Vec::new(), Vec::new());
    for segment in segments(text) {
        match segment {
            Segment::Tag(tag) if matches!(tag.name.text(), "rua" | "ruf") => {
                let uris = super::uri::uris(tag.value);
                let texts: Vec<_> = uris.iter().filter_map(|uri| mailto(&uri.text)).collect();
                if !texts.is_empty() {
                    kept.push(format!("{}={}", tag.name.text(), texts.join(",")));
                }
            }
            Segment::Tag(tag) => kept.push(tag.whole.text().to_owned()),
            Segment::Junk(junk) => lost.extend(mailto(junk.text())),
        }
    }
    if !lost.is_empty() {
        let lost = lost.join(",");
        match kept.iter_mut().find(|tag| tag.starts_with("rua=")) {
            Some(rua) => *rua = format!("{rua},{lost}"),
            None => kept.push(format!("rua={lost}")),
        }
    }
    Some(kept.join("; "))
}

/// The record with its version written as it has to be.
pub(super) fn mended_version(text: &str) -> Option<String> {
    let (first, rest) = text.split_once(';')?;
    let (name, value) = first.split_once('=')?;
    let is_version =
        name.trim().eq_ignore_ascii_case("v") && value.trim().eq_ignore_ascii_case(VERSION);
    is_version.then(|| format!("v={VERSION};{rest}"))
}

/// An address as a URI; other URIs as they are.
fn mailto(text: &str) -> Option<String> {
    let bare = text.strip_prefix("mailto:").unwrap_or(text).trim();
    match mailbox::parts(bare) {
        Some((local, _)) if !local.is_empty() && !local.contains([' ', ':']) => {
            Some(format!("mailto:{bare}"))
        }
        _ if text.contains("://") => Some(text.to_owned()),
        _ => None,
    }
}
