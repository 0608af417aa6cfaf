//! A segment file's name and header: the layout is in the [journal's opening page](super).

use std::path::{Path, PathBuf};

use crate::clock::Timestamp;

/// A segment's header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) directory: u64,
    pub(super) number: u64,
    pub(super) first: u64,
    /// The first segment whose end this one may repeat; 0 for none.
    pub(super) predecessor: u64,
    pub(super) begun: Timestamp,
}

/// Why bytes are no header of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum HeaderFault {
    /// All zero: prepared, not begun.
    Blank,
    /// The write that began it did not arrive whole: nothing of it but a beginning.
    Torn,
    /// The checksum does not fit.
    Damaged,
    /// Valid, but of another directory or number: a copied or renamed file.
    Foreign {
        /// The directory that it was written in.
        directory: u64,
        /// The number that it had there.
        number: u64,
    },
    /// The magic is that of another version or of something else.
    Unknown,
}

impl Header {
    pub(super) fn encode(&self) -> [u8; HEADER] {
        let mut bytes = [0; HEADER];
        bytes[0..8].copy_from_slice(MAGIC);
        let fields =
            [self.directory, self.number, self.first, self.predecessor, self.begun.micros()];
        for (field, into) in fields.iter().zip(bytes[8..48].chunks_exact_mut(8)) {
            into.copy_from_slice(&field.to_le_bytes());
        }
        let sum = crc32c::crc32c(&bytes[..SUMMED]);
        bytes[SUMMED..].copy_from_slice(&sum.to_le_bytes());
        bytes
    }

    /// Reads the header of the file that `number` names in `directory`.
    pub(super) fn decode(bytes: &[u8], directory: u64, number: u64) -> Result<Self, HeaderFault> {
        if bytes.iter().all(|byte| *byte == 0) {
            return Err(HeaderFault::Blank);
        }
        let whole = bytes.get(..HEADER).filter(|bytes| {
            crc32c::crc32c(&bytes[..SUMMED]).to_le_bytes() == bytes[SUMMED..HEADER]
        });
        let Some(bytes) = whole else { return Err(fault(bytes, directory, number)) };
        let field = |at: usize| {
            let mut field = [0; 8];
            field.copy_from_slice(&bytes[at..at + 8]);
            u64::from_le_bytes(field)
        };
        if !bytes.starts_with(MAGIC) {
            return Err(HeaderFault::Unknown);
        }
        let header = Self {
            directory: field(8),
            number: field(16),
            first: field(24),
            predecessor: field(32),
            begun: Timestamp::from_micros(field(40)),
        };
        if header.directory != directory || header.number != number {
            let Self { directory, number, .. } = header;
            return Err(HeaderFault::Foreign { directory, number });
        }
        Ok(header)
    }
}

/// Why bytes that are no whole header are none.
fn fault(bytes: &[u8], directory: u64, number: u64) -> HeaderFault {
    let arrived = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    let known = [*MAGIC, directory.to_le_bytes(), number.to_le_bytes()].concat();
    let is_beginning = bytes.iter().zip(&known).take(arrived).all(|(is, known)| is == known);
    // Another version may sum otherwise; with our own magic it is damage.
    let is_unknown = bytes.starts_with(&MAGIC[..7]) && !bytes.starts_with(MAGIC);
    match (arrived < HEADER && is_beginning, is_unknown) {
        (true, _) => HeaderFault::Torn,
        (false, true) => HeaderFault::Unknown,
        (false, false) => HeaderFault::Damaged,
    }
}

/// The path of segment `number`.
pub(super) fn path(directory: &Path, number: u64) -> PathBuf {
    directory.join(format!("{number:010}{SUFFIX}"))
}

/// The number in a file's name; `None` when the name is not that of a segment.
pub(super) fn number(name: &str) -> Option<u64> {
    let digits = name.strip_suffix(SUFFIX)?;
    let number = digits.parse().ok()?;
    (number > 0 && format!("{number:010}") == digits).then_some(number)
}

/// Bytes of a header.
pub(super) const HEADER: usize = 64;
const SUMMED: usize = 60;
const MAGIC: &[u8; 8] = b"WAYPSEG1";
const SUFFIX: &str = ".segment";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_is_read_back_and_every_flipped_bit_is_seen() {
        let begun = Timestamp::from_seconds(1);
        let header = Header { directory: 5, number: 7, first: 1, predecessor: 6, begun };
        let bytes = header.encode();
        assert_eq!(Header::decode(&bytes, 5, 7), Ok(header));
        let foreign = Err(HeaderFault::Foreign { directory: 5, number: 7 });
        assert_eq!(Header::decode(&bytes, 5, 8), foreign);
        assert_eq!(Header::decode(&bytes, 4, 7), foreign);
        assert_eq!(Header::decode(&[0; HEADER], 5, 7), Err(HeaderFault::Blank));
        assert_eq!(Header::decode(&[], 5, 7), Err(HeaderFault::Blank));
        for arrived in 1..HEADER {
            let torn = [&bytes[..arrived], &[0; HEADER][arrived..]].concat();
            assert_eq!(Header::decode(&torn, 5, 7), Err(HeaderFault::Torn), "{arrived} bytes");
            assert_eq!(Header::decode(&bytes[..arrived], 5, 7), Err(HeaderFault::Torn));
        }
        assert_eq!(Header::decode(b"WAYPSEG9", 5, 7), Err(HeaderFault::Unknown));
        assert_eq!(Header::decode(b"anything", 5, 7), Err(HeaderFault::Damaged));
        for bit in 0..HEADER * 8 {
            let mut flipped = bytes;
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(Header::decode(&flipped, 5, 7).is_err(), "bit {bit}");
        }
    }

    #[test]
    fn a_header_whose_checksum_ends_in_zeros_is_whole() {
        let header = |first| {
            let begun = Timestamp::from_seconds(1);
            Header { directory: 5, number: 7, first, predecessor: 0, begun }
        };
        let ends_in_zero = |first: &u64| header(*first).encode()[HEADER - 1] == 0;
        let first = (1..100_000).find(ends_in_zero).unwrap();
        assert_eq!(Header::decode(&header(first).encode(), 5, 7), Ok(header(first)));
    }

    #[test]
    fn only_names_that_we_write_are_segments() {
        assert_eq!(number("0000000012.segment"), Some(12));
        for name in ["12.segment", "0000000000.segment", "0000000001.segment.bak", "cursor"] {
            assert_eq!(number(name), None, "{name}");
        }
    }
}
