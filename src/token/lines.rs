//! Cuts bytes that come in pieces into whole lines.

/// The lines of a stream. Whatever comes, it keeps no more than a piece and [`LONGEST`] bytes.
#[derive(Debug)]
pub struct Lines {
    /// The beginning of a line whose end has not come.
    rest: Vec<u8>,
    /// The number of that line, counted from 1.
    next: u64,
}

/// Whole lines that stand side by side.
#[derive(Debug, PartialEq, Eq)]
pub struct Block {
    first: u64,
    bytes: Vec<u8>,
}

impl Default for Lines {
    fn default() -> Self {
        Self { rest: Vec::new(), next: 1 }
    }
}

impl Lines {
    /// Takes the next bytes; returns the lines that they end. Of a line of more than [`LONGEST`]
    /// bytes the first are kept, one more than that, so that it is seen to be too long.
    pub fn push(&mut self, bytes: &[u8]) -> Option<Block> {
        let Some(end) = bytes.iter().rposition(|byte| *byte == b'\n') else {
            self.keep(bytes);
            return None;
        };
        let (whole, rest) = bytes.split_at(end + 1);
        let mut block = std::mem::take(&mut self.rest);
        block.extend_from_slice(whole);
        self.keep(rest);
        Some(self.block(block))
    }

    /// The last line, when no line end came behind it.
    pub fn end(&mut self) -> Option<Block> {
        let rest = std::mem::take(&mut self.rest);
        (!rest.is_empty()).then(|| self.block(rest))
    }

    /// The number of the next line, counted from 1.
    pub fn next(&self) -> u64 {
        self.next
    }

    fn keep(&mut self, bytes: &[u8]) {
        let room = (LONGEST + 1).saturating_sub(self.rest.len());
        self.rest.extend_from_slice(bytes.get(..room).unwrap_or(bytes));
    }

    fn block(&mut self, bytes: Vec<u8>) -> Block {
        let block = Block { first: self.next, bytes };
        self.next += block.count();
        block
    }
}

impl Block {
    /// Each line with its number, without its line end.
    pub fn lines(&self) -> impl Iterator<Item = (u64, &[u8])> {
        let whole = self.bytes.strip_suffix(b"\n").unwrap_or(&self.bytes);
        // Some editors begin a file with a byte-order mark, which JSON may pass over (RFC 8259 §8.1).
        let whole = whole.strip_prefix(MARK).filter(|_| self.first == 1).unwrap_or(whole);
        (self.first..).zip(whole.split(|byte| *byte == b'\n'))
    }

    /// The number of the first line, counted from 1.
    pub fn first(&self) -> u64 {
        self.first
    }

    /// The block cut between lines into at most `count` parts of about one size.
    pub fn split(mut self, count: usize) -> Vec<Self> {
        let mut parts = Vec::new();
        for left in (2..=count).rev() {
            let about = self.bytes.len() / left;
            let end = self.bytes.iter().skip(about).position(|byte| *byte == b'\n');
            let Some(end) = end.map(|end| about + end + 1).filter(|end| *end < self.bytes.len())
            else {
                break;
            };
            let rest = self.bytes.split_off(end);
            let part = Self { first: self.first, bytes: std::mem::replace(&mut self.bytes, rest) };
            self.first += part.count();
            parts.push(part);
        }
        parts.push(self);
        parts
    }

    /// How many lines it has.
    pub fn count(&self) -> u64 {
        let ends = self.bytes.iter().filter(|byte| **byte == b'\n').count() as u64;
        ends + u64::from(self.bytes.last().is_some_and(|last| *last != b'\n'))
    }
}

/// Bytes of the longest line that is kept whole.
const LONGEST: usize = super::row::MAX_ROW;
const MARK: &[u8] = "\u{feff}".as_bytes();

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn all(pieces: &[&[u8]], parts: usize) -> Vec<(u64, Vec<u8>)> {
        let mut lines = Lines::default();
        let mut blocks: Vec<_> = pieces.iter().filter_map(|piece| lines.push(piece)).collect();
        blocks.extend(lines.end());
        let split = blocks.into_iter().flat_map(|block| block.split(parts));
        let found: Vec<_> = split
            .flat_map(|block| {
                assert_eq!(block.count(), block.lines().count() as u64);
                block.lines().map(|(line, text)| (line, text.to_vec())).collect::<Vec<_>>()
            })
            .collect();
        assert_eq!(lines.next(), 1 + found.len() as u64);
        found
    }

    #[test]
    fn lines_end_where_they_end_and_are_counted_from_one() {
        for (text, expected) in [
            ("", &[][..]),
            ("\n", &[""]),
            ("a", &["a"]),
            ("a\n", &["a"]),
            ("a\n\nb\r\n", &["a", "", "b\r"]),
            ("\u{feff}a\n\u{feff}b", &["a", "\u{feff}b"]),
        ] {
            let found = all(&[text.as_bytes()], 1);
            let texts: Vec<_> = found.iter().map(|(_, text)| text.as_slice()).collect();
            let expected: Vec<_> = expected.iter().map(|text| text.as_bytes()).collect();
            assert_eq!(texts, expected, "{text:?}");
            assert!(found.iter().map(|(line, _)| *line).eq(1..=found.len() as u64));
        }
    }

    #[test]
    fn of_a_line_that_is_too_long_no_more_is_kept_than_shows_it() {
        let mut lines = Lines::default();
        for _ in 0..64 {
            assert_eq!(lines.push(&[b'x'; 4_096]), None);
            assert!(lines.rest.len() <= LONGEST + 1);
        }
        let block = lines.push(b"x\nnext\n").unwrap();
        let found: Vec<_> = block.lines().map(|(line, text)| (line, text.len())).collect();
        assert_eq!(found, [(1, LONGEST + 2), (2, 4)]);
    }

    proptest! {
        #[test]
        fn however_it_is_cut_the_lines_are_the_same(
            text in "[ab\\n]{0,200}", cuts in prop::collection::vec(0usize..200, 0..8),
            parts in 1usize..6,
        ) {
            let text = text.as_bytes();
            let mut cuts: Vec<_> = cuts.into_iter().map(|cut| cut.min(text.len())).collect();
            cuts.extend([0, text.len()]);
            cuts.sort_unstable();
            let pieces: Vec<_> = cuts.windows(2).map(|cut| &text[cut[0]..cut[1]]).collect();
            prop_assert_eq!(all(&pieces, parts), all(&[text], 1));
        }
    }
}
