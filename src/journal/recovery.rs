//! What a directory's segments mean after a crash, decided from what was read of them.
//!
//! Pure: the [log](super::log) reads the files and does what the [`Plan`] says.

use std::collections::BTreeSet;

use super::directory::SegmentFile;
use super::segment::HeaderFault;

/// What reading one segment told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    /// The sequences of the valid frames, in order.
    pub(super) sequences: Vec<u64>,
    /// The first sequence that no frame proves durable: one past the highest that some frame does
    /// not count as behind.
    pub(super) proven: u64,
    /// Runs of bytes that are no frame, with a frame behind them.
    pub(super) gaps: u64,
}

impl Tally {
    /// Counts one valid frame.
    pub(super) fn add(&mut self, sequence: u64, behind: u32) {
        self.proven = self.proven.max(sequence.saturating_sub(u64::from(behind)));
        self.sequences.push(sequence);
    }
}

/// How to go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Plan {
    /// The number of the next segment: no number is used twice.
    pub(super) next_number: u64,
    /// Frames of this segment, from this sequence on, are repeated at the next one's beginning.
    pub(super) repeat: Option<Repeat>,
    /// The sequence of the next new frame.
    pub(super) next_sequence: u64,
    /// A prepared segment that was never begun and can be used: all zeros up to its length.
    pub(super) spare: Option<u64>,
    /// Frames that were durable and cannot be read any more, in the segment that was read.
    pub(super) damaged: u64,
}

/// The end of a segment that is not proven durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Repeat {
    pub(super) number: u64,
    pub(super) from: u64,
}

/// Which segment to read first: the last one that may hold frames. Those before it were left
/// only after all they held was durable, or is repeated in a later one.
pub(super) fn last_begun(files: &[SegmentFile], below: u64) -> Option<&SegmentFile> {
    files.iter().rev().find(|file| file.number < below && file.may_hold_frames())
}

/// The first segment whose end `last` may repeat: both are needed to tell what was written. A
/// header that cannot be read does not tell, so then it is the one before.
pub(super) fn repeated_by(files: &[SegmentFile], last: &SegmentFile) -> u64 {
    match last.header {
        Ok(header) if header.predecessor == 0 => last.number,
        Ok(header) => header.predecessor,
        Err(_) => last_begun(files, last.number).map_or(last.number, |before| before.number),
    }
}

/// Decides from all files of a directory and the reading of the last segments, in order: the
/// last in which a valid frame was found, and those before it whose end it may repeat. One that
/// repeats may itself be torn, and then hold less than what it was to repeat.
pub(super) fn plan(files: &[SegmentFile], read: &[(&SegmentFile, Tally)]) -> Plan {
    let next_number = files.last().map_or(1, |file| file.number + 1);
    let spare =
        files.last().filter(|file| file.header == Err(HeaderFault::Blank)).map(|file| file.number);
    let promised = files.iter().filter_map(|file| file.header.ok().map(|header| header.first));
    let promised = promised.max().unwrap_or(1);
    let proven = read.iter().map(|(_, tally)| tally.proven).max().unwrap_or(0);
    let present: BTreeSet<u64> =
        read.iter().flat_map(|(_, tally)| tally.sequences.iter().copied()).collect();
    let Some(last) = present.last() else {
        return Plan { next_number, repeat: None, next_sequence: promised, spare, damaged: 0 };
    };
    let is_unproven = |tally: &Tally| tally.sequences.iter().any(|sequence| *sequence >= proven);
    let repeat = read.iter().find(|(_, tally)| is_unproven(tally));
    let repeat = repeat.map(|(file, _)| Repeat { number: file.number, from: proven });
    let first = read.first().and_then(|(file, _)| file.header.ok()).map(|header| header.first);
    let first = first.or_else(|| present.first().copied()).unwrap_or(proven);
    let kept = present.range(..proven).count() as u64;
    let damaged = proven.saturating_sub(first).saturating_sub(kept);
    Plan { next_number, repeat, next_sequence: promised.max(last + 1), spare, damaged }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::super::segment::Header;
    use super::*;
    use crate::clock::Timestamp;

    fn file(number: u64, first: u64, predecessor: u64) -> SegmentFile {
        let begun = Timestamp::from_seconds(1);
        let header = Ok(Header { directory: 1, number, first, predecessor, begun });
        SegmentFile { number, path: PathBuf::new(), bytes: 0, modified: 0, header }
    }

    fn tally(frames: &[(u64, u32)]) -> Tally {
        let mut tally = Tally::default();
        frames.iter().for_each(|(sequence, behind)| tally.add(*sequence, *behind));
        tally
    }

    #[test]
    fn a_repetition_that_is_torn_hides_nothing_of_what_it_repeats() {
        // The write of 3 and 4 failed after all was written; their repetition was cut after 3.
        let files = [file(1, 1, 0), file(2, 3, 1)];
        assert_eq!(repeated_by(&files, &files[1]), 1);
        let read =
            [(&files[0], tally(&[(1, 0), (2, 0), (3, 0), (4, 1)])), (&files[1], tally(&[(3, 0)]))];
        let plan = plan(&files, &read);
        assert_eq!(plan.repeat, Some(Repeat { number: 1, from: 3 }));
        assert_eq!((plan.next_sequence, plan.damaged), (5, 0));
    }

    #[test]
    fn what_a_later_segment_proves_is_not_repeated_again() {
        let files = [file(1, 1, 0), file(2, 3, 1)];
        let read = [
            (&files[0], tally(&[(1, 0), (2, 0), (3, 0), (4, 1)])),
            (&files[1], tally(&[(3, 0), (4, 1), (5, 0)])),
        ];
        let plan = plan(&files, &read);
        assert_eq!(plan.repeat, Some(Repeat { number: 2, from: 5 }));
        assert_eq!((plan.next_sequence, plan.damaged), (6, 0));
    }

    #[test]
    fn a_segment_with_a_damaged_header_is_read_together_with_the_one_before() {
        let mut files = [file(1, 1, 0), file(2, 3, 0), file(3, 5, 0)];
        assert_eq!(repeated_by(&files, &files[2]), 3);
        files[2].header = Err(HeaderFault::Damaged);
        files[1].header = Err(HeaderFault::Blank);
        assert_eq!(repeated_by(&files, &files[2]), 1);
    }
}
