//! What the lexers take records apart with.

use super::Span;

/// A piece of a record that knows where it lies in it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Piece<'a> {
    text: &'a str,
    start: usize,
}

impl<'a> Piece<'a> {
    /// All of a record.
    pub(super) fn all(text: &'a str) -> Self {
        Self { text, start: 0 }
    }

    /// The piece's text.
    pub(super) fn text(self) -> &'a str {
        self.text
    }

    /// Where it lies in the record.
    pub(super) fn span(self) -> Span {
        Span { start: self.start, end: self.start + self.text.len() }
    }

    /// Its part between two offsets; empty at its end when they are not between characters.
    pub(super) fn part(self, from: usize, to: usize) -> Self {
        match self.text.get(from..to) {
            Some(text) => Self { text, start: self.start + from },
            None => Self { text: "", start: self.start + self.text.len() },
        }
    }

    /// What is before `at`, and the rest.
    pub(super) fn split_at(self, at: usize) -> (Self, Self) {
        (self.part(0, at), self.part(at, self.text.len()))
    }

    /// What is before the first of `marks`, and what is after it.
    pub(super) fn split_once(self, mark: char) -> Option<(Self, Self)> {
        let at = self.text.find(mark)?;
        Some((self.part(0, at), self.part(at + mark.len_utf8(), self.text.len())))
    }

    /// What is between the `mark`s, in order.
    pub(super) fn split(self, mark: char) -> impl Iterator<Item = Self> {
        let mut rest = Some(self);
        std::iter::from_fn(move || {
            let piece = rest?;
            let (before, after) = match piece.split_once(mark) {
                Some((before, after)) => (before, Some(after)),
                None => (piece, None),
            };
            rest = after;
            Some(before)
        })
    }

    /// Without the `is_blank` characters at both ends.
    pub(super) fn trim(self, is_blank: impl Fn(char) -> bool + Copy) -> Self {
        let begun = self.text.trim_start_matches(is_blank);
        let start = self.text.len() - begun.len();
        self.part(start, start + begun.trim_end_matches(is_blank).len())
    }
}

/// A blank of the tag lists: space, tab, and the line ends of folding white space (RFC 6376
/// §2.8), which reach a record through careless pasting.
pub(super) fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\r' | '\n')
}
