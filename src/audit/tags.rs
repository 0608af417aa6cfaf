//! Lists of tag=value (RFC 6376 §3.2), which DKIM, DMARC and BIMI share.

use super::piece::{Piece, is_blank};

/// What stands between two semicolons.
#[derive(Clone, Copy, Debug)]
pub(super) enum Segment<'a> {
    /// A tag with its value.
    Tag(Tag<'a>),
    /// What is no tag.
    Junk(Piece<'a>),
}

/// A tag with its value, blanks around both taken off.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tag<'a> {
    pub(super) name: Piece<'a>,
    pub(super) value: Piece<'a>,
    pub(super) whole: Piece<'a>,
}

/// The segments of a list, in order. Empty ones are left out: a semicolon at the end is allowed,
/// and one too many harms nowhere.
pub(super) fn segments(text: &str) -> impl Iterator<Item = Segment<'_>> {
    let pieces = Piece::all(text).split(';').map(|piece| piece.trim(is_blank));
    pieces.filter(|piece| !piece.text().is_empty()).map(segment)
}

/// The tags of a list, in order.
pub(super) fn tags(text: &str) -> impl Iterator<Item = Tag<'_>> {
    segments(text).filter_map(|segment| match segment {
        Segment::Tag(tag) => Some(tag),
        Segment::Junk(_) => None,
    })
}

/// The tags whose names stand earlier in the list too.
pub(super) fn repeated(text: &str) -> Vec<Tag<'_>> {
    let mut seen = std::collections::HashSet::new();
    tags(text).filter(|tag| !seen.insert(tag.name.text())).collect()
}

/// The items of a list inside a value, blanks around each taken off.
pub(super) fn items(value: Piece<'_>, mark: char) -> impl Iterator<Item = Piece<'_>> {
    value.split(mark).map(|item| item.trim(is_blank))
}

fn segment(piece: Piece<'_>) -> Segment<'_> {
    match piece.split_once('=') {
        Some((name, value)) if is_name(name.trim(is_blank).text()) => {
            let (name, value) = (name.trim(is_blank), value.trim(is_blank));
            Segment::Tag(Tag { name, value, whole: piece })
        }
        _ => Segment::Junk(piece),
    }
}

/// A letter, then letters, digits and underscores.
fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}
