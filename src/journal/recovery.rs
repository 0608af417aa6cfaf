//! What a directory's segments mean after a crash, decided from what was read of them.
//!
//! Pure: the [log](super::log) reads the files and does what the [`Plan`] says.

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

/// Decides from all files of a directory and the reading of `last`, the last segment in which a
/// valid frame was found.
pub(super) fn plan(files: &[SegmentFile], last: Option<(&SegmentFile, &Tally)>) -> Plan {
    let next_number = files.last().map_or(1, |file| file.number + 1);
    let spare =
        files.last().filter(|file| file.header == Err(HeaderFault::Blank)).map(|file| file.number);
    let promised = files.iter().filter_map(|file| file.header.ok().map(|header| header.first));
    let promised = promised.max().unwrap_or(1);
    let Some((file, tally)) = last else {
        return Plan { next_number, repeat: None, next_sequence: promised, spare, damaged: 0 };
    };
    let end = tally.sequences.iter().max().map_or(1, |last| last + 1);
    let repeats = tally.sequences.iter().any(|sequence| *sequence >= tally.proven);
    let repeat = repeats.then_some(Repeat { number: file.number, from: tally.proven });
    let first = file.header.map_or_else(
        |_| tally.sequences.first().copied().unwrap_or(tally.proven),
        |header| header.first,
    );
    let present = tally.sequences.iter().filter(|sequence| **sequence < tally.proven).count();
    let damaged = tally.proven.saturating_sub(first).saturating_sub(present as u64);
    Plan { next_number, repeat, next_sequence: end.max(promised), spare, damaged }
}
