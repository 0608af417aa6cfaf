//! What looking at a directory tells.

use std::fmt;

use super::directory::{DirectoryId, SegmentFile};
use super::frame::Numbered;
use super::overlap::Contradiction;
use super::segment::HeaderFault;
use crate::clock::Timestamp;

/// What one directory holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The directory.
    pub directory: DirectoryId,
    /// The first sequence that has not been acknowledged further on.
    pub cursor: u64,
    /// Its segments by number.
    pub segments: Vec<SegmentReport>,
    /// The count of frames that can be read, repeated ones once.
    pub frames: u64,
    /// The count of frames that were durable and cannot be read any more, nor were deleted.
    pub lost: u64,
    /// What is wrong.
    pub faults: Vec<Fault>,
    /// What looks odd and is not wrong.
    pub notes: Vec<Note>,
}

/// What one segment holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SegmentReport {
    /// Its number.
    pub number: u64,
    /// Its length in bytes.
    pub bytes: u64,
    /// What it is.
    pub condition: Condition,
    /// The first segment whose end it may repeat; 0 for none.
    pub predecessor: u64,
    /// Its first and last sequence.
    pub sequences: Option<(u64, u64)>,
    /// The times of its first and last frame.
    pub times: Option<(Timestamp, Timestamp)>,
    /// The count of its valid frames.
    pub frames: u64,
    /// Where bytes begin that are not yet a whole frame.
    pub unfinished: Option<u64>,
}

/// What a segment is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition {
    /// Begun, in our format.
    Begun,
    /// The header is damaged; frames are read by their own checksums.
    HeaderDamaged,
    /// A file of another directory or number: nothing in it is ours. Kept, not read.
    Foreign,
    /// Prepared, not begun.
    Prepared,
    /// It contradicts an earlier segment. Kept, not read.
    Refused,
    /// Begun by a write that did not arrive whole: nothing of it was acknowledged, or what it
    /// held would be missing in the sequence.
    Torn,
    /// Of a format that this version does not know. Kept, not read.
    Unknown,
}

/// Something that is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// A copied or renamed file.
    Foreign {
        /// The number in its name.
        segment: u64,
        /// The directory that it was written in.
        directory: DirectoryId,
        /// The number that it had there.
        original: u64,
    },
    /// A header that cannot be read, before frames that can.
    HeaderDamaged {
        /// The segment.
        segment: u64,
    },
    /// Frames that were durable and are not there.
    Lost {
        /// Where they stood, or the segment before.
        segment: u64,
        /// The first sequence.
        first: u64,
        /// The last one.
        last: u64,
    },
    /// A segment that contradicts an earlier one.
    Refused {
        /// The segment.
        segment: u64,
        /// What it says.
        contradiction: Contradiction,
    },
    /// A format of another version, or none.
    Unknown {
        /// The segment.
        segment: u64,
    },
    /// The disk did not give all of a segment.
    Unreadable {
        /// The segment.
        segment: u64,
    },
}

/// Something that looks odd and is not wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Note {
    /// The cursor cannot be read, and reads as the beginning.
    Cursor,
    /// Bytes that are no frame, with frames behind them.
    Gap {
        /// The segment.
        segment: u64,
        /// Where they begin.
        from: u64,
        /// Where the next frame begins.
        to: u64,
    },
    /// Sequences whose frames a crash left unfinished, in the last batch: none is proven to have
    /// been durable.
    Left {
        /// Where they stood.
        segment: u64,
        /// The first sequence.
        first: u64,
        /// The last one.
        last: u64,
    },
    /// A segment whose beginning a crash left unfinished.
    Torn {
        /// The segment.
        segment: u64,
    },
    /// A tail that is not whole.
    Unfinished {
        /// The segment.
        segment: u64,
        /// Where it begins.
        from: u64,
    },
    /// Sequences that stand for frames that a crash left unfinished.
    Void {
        /// The segment.
        segment: u64,
        /// The first sequence.
        first: u64,
        /// The last one.
        last: u64,
    },
}

impl Condition {
    /// The word that reports use.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Begun => "begun",
            Self::HeaderDamaged => "header damaged",
            Self::Foreign => "foreign",
            Self::Prepared => "prepared",
            Self::Refused => "refused",
            Self::Torn => "torn at its beginning",
            Self::Unknown => "unknown format",
        }
    }
}

impl SegmentReport {
    pub(super) fn new(file: &SegmentFile) -> Self {
        let condition = match file.header {
            Ok(_) => Condition::Begun,
            Err(HeaderFault::Blank) => Condition::Prepared,
            Err(HeaderFault::Damaged) => Condition::HeaderDamaged,
            Err(HeaderFault::Torn) => Condition::Torn,
            Err(HeaderFault::Foreign { .. }) => Condition::Foreign,
            Err(HeaderFault::Unknown) => Condition::Unknown,
        };
        Self {
            number: file.number,
            bytes: file.bytes,
            condition,
            predecessor: file.predecessor().unwrap_or(0),
            sequences: None,
            times: None,
            frames: 0,
            unfinished: None,
        }
    }

    pub(super) fn add(&mut self, numbered: &Numbered<'_>) {
        let sequence = numbered.sequence;
        let first = self.sequences.map_or(sequence, |(first, _)| first);
        self.sequences = Some((first, sequence));
        let Some(frame) = numbered.frame else { return };
        self.frames += 1;
        let earliest = self.times.map_or(frame.time, |(earliest, _)| earliest);
        self.times = Some((earliest, frame.time));
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Foreign { segment, directory, original } => write!(
                f,
                "segment {segment}: a copied or renamed file, it was written as segment \
                 {original} of directory {directory}: kept, not read"
            ),
            Self::HeaderDamaged { segment } => write!(
                f,
                "segment {segment}: the header is damaged, frames are read by their own checksums"
            ),
            Self::Lost { segment, first, last } => {
                write!(f, "segment {segment}: {} durable and cannot be read", were(*first, *last))
            }
            Self::Refused { segment, contradiction } => {
                write!(f, "segment {segment}: {contradiction}: kept, not read")
            }
            Self::Unknown { segment } => write!(
                f,
                "segment {segment}: a format that this version does not know: kept, not read"
            ),
            Self::Unreadable { segment } => {
                write!(f, "segment {segment}: the disk does not give all of it")
            }
        }
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cursor => {
                f.write_str("the cursor is damaged: what was acknowledged further on is sent again")
            }
            Self::Gap { segment, from, to } => {
                write!(f, "segment {segment}: bytes {from} to {to} are no frame")
            }
            Self::Left { segment, first, last } => write!(
                f,
                "segment {segment}: {} not written whole, or are not yet",
                were(*first, *last)
            ),
            Self::Torn { segment } => write!(
                f,
                "segment {segment}: its beginning was not written whole: a crash, nothing of it \
                 was acknowledged"
            ),
            Self::Unfinished { segment, from } => write!(
                f,
                "segment {segment}: from byte {from} on not written whole: a node is writing, or \
                 a crash left it"
            ),
            Self::Void { segment, first, last } => write!(
                f,
                "segment {segment}: {} left unfinished by a crash and never acknowledged",
                were(*first, *last)
            ),
        }
    }
}

fn were(first: u64, last: u64) -> String {
    if first == last {
        format!("sequence {first} was")
    } else {
        format!("sequences {first} to {last} were")
    }
}
