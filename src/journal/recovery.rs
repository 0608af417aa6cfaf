//! What a directory's segments mean after a crash, decided from what was read of them.
//!
//! Pure: [salvage](super::salvage) reads the files and does what the [`Plan`] says.

use std::collections::BTreeSet;

use super::directory::SegmentFile;
use super::frame::{HEAD, Numbered};
use super::segment::HeaderFault;

/// What reading one segment told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    /// The sequences of the valid frames and voids, in order.
    pub(super) sequences: Vec<u64>,
    /// The first sequence that nothing in it proves durable.
    pub(super) proven: u64,
    /// Whether the disk did not give all of it.
    pub(super) has_unreadable: bool,
}

impl Tally {
    /// Counts one valid frame or void.
    pub(super) fn add(&mut self, numbered: &Numbered<'_>) {
        self.proven = self.proven.max(numbered.proven());
        self.sequences.push(numbered.sequence);
    }
}

/// What was read of a directory, beside its list of segments.
#[derive(Debug, Default)]
pub(super) struct Reading<'a> {
    /// The segments that were read and are accepted, in order.
    pub(super) accepted: Vec<(&'a SegmentFile, Tally)>,
    /// The first sequence that a refused segment does not hold: no sequence is given twice,
    /// whoever gave it.
    pub(super) beyond: u64,
    /// The first sequence that is not acknowledged further on.
    pub(super) cursor: u64,
}

/// How to go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Plan {
    /// The number of the next segment: no number is used twice.
    pub(super) next_number: u64,
    /// What is repeated at the next segment's beginning.
    pub(super) repeat: Option<Repeat>,
    /// The sequence of the next new frame.
    pub(super) next_sequence: u64,
    /// A prepared segment that was never begun.
    pub(super) spare: Option<u64>,
    /// Frames that were durable and cannot be read any more, in the segments that were read.
    pub(super) damaged: u64,
}

/// The sequences that are not proven durable. Each that can be read is repeated; in the place of
/// the others stands a void.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Repeat {
    /// The first segment that holds some of them.
    pub(super) number: u64,
    pub(super) from: u64,
    /// The first sequence that is not among them.
    pub(super) to: u64,
}

/// Which segment to read first: the last one that may hold frames. Those before it were left
/// only after all they held was durable, or is repeated in a later one.
pub(super) fn last_begun(files: &[SegmentFile], below: u64) -> Option<&SegmentFile> {
    files.iter().rev().find(|file| file.number < below && file.may_hold_frames())
}

/// The first segment that is read together with `last`: one whose end it may repeat, and the one
/// before it, which shows whether it repeats what it may not. A header that cannot be read tells
/// nothing, so then it is what belongs to the one before.
pub(super) fn read_from(files: &[SegmentFile], last: &SegmentFile) -> u64 {
    let Some(before) = last_begun(files, last.number) else { return last.number };
    match last.predecessor() {
        Some(0) => before.number,
        Some(predecessor) => predecessor.min(before.number),
        None => read_from(files, before),
    }
}

/// Decides from all files of a directory and the reading of the last ones.
pub(super) fn plan(files: &[SegmentFile], reading: &Reading<'_>) -> Plan {
    let read = &reading.accepted;
    let next_number = files.last().map_or(1, |file| file.number + 1);
    let spare =
        files.last().filter(|file| file.header == Err(HeaderFault::Blank)).map(|file| file.number);
    let present: BTreeSet<u64> =
        read.iter().flat_map(|(_, tally)| tally.sequences.iter().copied()).collect();
    // A segment is begun when all before its first frame is durable.
    let promised = files.iter().filter_map(SegmentFile::first).max().unwrap_or(1);
    // What was begun to be repeated is repeated whole, or a gap is left when only what it was
    // first in is deleted: with `os`, what a failed write left proves itself.
    let is_repeated = |file: &SegmentFile| {
        read.iter().any(|(by, _)| by.number > file.number && by.may_repeat(file.number))
    };
    let telling = read.iter().filter(|(file, _)| !is_repeated(file));
    let proven = telling.map(|(_, tally)| tally.proven).max().unwrap_or(1).max(promised);
    let end = present.last().map_or(0, |last| last + 1).max(reading.beyond).max(proven);
    let is_unproven = |tally: &Tally| tally.sequences.iter().any(|sequence| *sequence >= proven);
    let repeat = (end > proven).then(|| {
        let holder = read.iter().find(|(_, tally)| is_unproven(tally)).or_else(|| read.last());
        let number = holder.map_or(0, |(file, _)| file.number);
        Repeat { number, from: proven, to: end }
    });
    let first = read.first().and_then(|(file, _)| file.first());
    let first = first.or_else(|| present.first().copied()).unwrap_or(proven);
    let kept = present.range(..proven).count() as u64;
    let damaged = proven.saturating_sub(first).saturating_sub(kept);
    // What the disk does not give now it may give another time.
    let unreadable = read.iter().filter(|(_, tally)| tally.has_unreadable);
    let hidden = unreadable.map(|(file, _)| file.bytes / HEAD as u64).sum::<u64>();
    // What is acknowledged further on was here once.
    let next_sequence = end.max(reading.cursor) + hidden;
    Plan { next_number, repeat, next_sequence, spare, damaged }
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
        SegmentFile { number, path: PathBuf::new(), bytes: 5_600, modified: 0, header }
    }

    fn tally(frames: &[(u64, u32)]) -> Tally {
        let mut tally = Tally::default();
        for (sequence, behind) in frames {
            tally.add(&Numbered { sequence: *sequence, behind: *behind, frame: None });
        }
        tally
    }

    fn plan_of(files: &[SegmentFile], read: &[(usize, &[(u64, u32)])]) -> Plan {
        let accepted = read.iter().map(|(at, frames)| (&files[*at], tally(frames))).collect();
        plan(files, &Reading { accepted, ..Reading::default() })
    }

    #[test]
    fn a_repetition_that_is_torn_hides_nothing_of_what_it_repeats() {
        // The write of 3 and 4 failed after all was written; their repetition was cut after 3.
        let files = [file(1, 1, 0), file(2, 3, 1)];
        assert_eq!(read_from(&files, &files[1]), 1);
        let plan = plan_of(&files, &[(0, &[(1, 0), (2, 0), (3, 0), (4, 1)]), (1, &[(3, 0)])]);
        assert_eq!(plan.repeat, Some(Repeat { number: 1, from: 3, to: 5 }));
        assert_eq!((plan.next_sequence, plan.damaged), (5, 0));
    }

    #[test]
    fn what_a_later_segment_proves_is_not_repeated_again() {
        let files = [file(1, 1, 0), file(2, 3, 1)];
        let first: &[_] = &[(1, 0), (2, 0), (3, 0), (4, 1)];
        let plan = plan_of(&files, &[(0, first), (1, &[(3, 0), (4, 1), (5, 0)])]);
        assert_eq!(plan.repeat, Some(Repeat { number: 2, from: 5, to: 6 }));
        assert_eq!((plan.next_sequence, plan.damaged), (6, 0));
    }

    #[test]
    fn a_repetition_that_was_cut_off_is_begun_anew_whatever_the_first_writing_proves() {
        let files = [file(1, 1, 0), file(2, 3, 1)];
        let plan =
            plan_of(&files, &[(0, &[(1, 0), (2, 0), (3, 0), (4, 0), (5, 0)]), (1, &[(3, 0)])]);
        assert_eq!(plan.repeat, Some(Repeat { number: 1, from: 3, to: 6 }));
    }

    #[test]
    fn a_begun_segment_proves_all_before_its_first_frame() {
        let files = [file(1, 1, 0), file(2, 5, 0)];
        let plan = plan_of(&files, &[(0, &[(1, 0), (2, 0), (3, 1)])]);
        assert_eq!(plan.repeat, None);
        assert_eq!((plan.next_sequence, plan.damaged), (5, 1), "4 was durable and is gone");
    }

    #[test]
    fn a_hole_in_the_last_batch_is_no_damage_and_its_sequence_is_not_given_again() {
        let files = [file(1, 1, 0)];
        let plan = plan_of(&files, &[(0, &[(1, 0), (2, 0), (4, 1), (6, 3)])]);
        assert_eq!(plan.repeat, Some(Repeat { number: 1, from: 3, to: 7 }));
        assert_eq!((plan.next_sequence, plan.damaged), (7, 0));
    }

    #[test]
    fn damaged_headers_are_read_together_with_what_the_last_good_one_names() {
        let mut files = [file(1, 1, 0), file(2, 1, 0), file(3, 3, 2), file(4, 5, 0), file(5, 5, 0)];
        assert_eq!(read_from(&files, &files[3]), 3, "the one before shows what it may not repeat");
        files[3].header = Err(HeaderFault::Damaged);
        files[4].header = Err(HeaderFault::Damaged);
        assert_eq!(read_from(&files, &files[4]), 2);
        files[2].header = Err(HeaderFault::Blank);
        assert_eq!(read_from(&files, &files[4]), 1, "a blank one is none");
    }

    #[test]
    fn no_sequence_is_given_twice_whoever_gave_it() {
        let files = [file(1, 1, 0), file(2, 2, 0)];
        let accepted = || vec![(&files[0], tally(&[(1, 0), (2, 0)]))];
        let plan_with = |reading: Reading<'_>| plan(&files, &reading);
        let refused = plan_with(Reading { accepted: accepted(), beyond: 5, cursor: 1 });
        assert_eq!(refused.repeat, Some(Repeat { number: 1, from: 2, to: 5 }));
        assert_eq!(refused.next_sequence, 5);
        let acknowledged = plan_with(Reading { accepted: accepted(), beyond: 0, cursor: 40 });
        assert_eq!(acknowledged.repeat, Some(Repeat { number: 1, from: 2, to: 3 }));
        assert_eq!(acknowledged.next_sequence, 40);
        let mut partial = accepted();
        partial[0].1.has_unreadable = true;
        let partial = plan_with(Reading { accepted: partial, beyond: 0, cursor: 1 });
        assert_eq!(partial.next_sequence, 103, "as many more as the segment could hold");
    }
}
