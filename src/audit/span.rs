//! Where something lies in a text.

/// A range of a text, in bytes, that begins and ends between characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Span {
    /// The first byte.
    pub start: usize,
    /// The byte after the last one; `start` for a place between two bytes.
    pub end: usize,
}

impl Span {
    /// All of a text.
    pub fn all(text: &str) -> Self {
        Self { start: 0, end: text.len() }
    }

    /// The part of `text` that it names; empty when it does not lie in there.
    pub fn of(self, text: &str) -> &str {
        text.get(self.start..self.end).unwrap_or_default()
    }

    /// From where this begins to where `last` ends.
    #[must_use]
    pub fn to(self, last: Self) -> Self {
        Self { start: self.start, end: last.end.max(self.start) }
    }
}
