//! Looks at directories without changing them: what is kept, and whether all of it can be read.

use std::collections::HashMap;
use std::io;
use std::path::Path;
use std::sync::Arc;

use super::cursor::Cursor;
use super::directory::{self, DirectoryId, SegmentFile};
use super::frame::{self, Stored};
use super::scan::{Found, Scan};
use super::segment::HeaderFault;
use crate::clock::Timestamp;
use crate::disk::{Access, Disk};

/// What one directory holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The directory.
    pub directory: DirectoryId,
    /// The first sequence that has not been acknowledged further on.
    pub cursor: u64,
    /// Its segments by number.
    pub segments: Vec<SegmentReport>,
    /// What cannot be read, each with the place and the reason.
    pub faults: Vec<String>,
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
    /// The sequences of its first and last frame.
    pub sequences: Option<(u64, u64)>,
    /// The times of its first and last frame.
    pub times: Option<(Timestamp, Timestamp)>,
    /// The count of its valid frames.
    pub frames: u64,
}

/// What a segment is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition {
    /// Begun, in our format.
    Begun,
    /// The header is damaged; frames are read by their own checksums.
    HeaderDamaged,
    /// A file of another directory or number: nothing in it is ours. Kept.
    Foreign,
    /// Prepared, not begun.
    Prepared,
    /// Begun by a write that did not arrive whole: the header is damaged and no frame is valid.
    /// What it was to hold, if it was acknowledged, would be missing in the sequence.
    Torn,
    /// Of a format that this version does not know. Kept.
    Unknown,
}

impl Condition {
    /// The word that reports use.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Begun => "begun",
            Self::HeaderDamaged => "header damaged",
            Self::Foreign => "foreign",
            Self::Prepared => "prepared",
            Self::Torn => "torn at its beginning",
            Self::Unknown => "unknown format",
        }
    }
}

impl Report {
    /// The count of frames that can be read, repeated ones once.
    pub fn frames(&self) -> u64 {
        let mut next = 0;
        let mut frames = 0;
        for segment in &self.segments {
            let Some((first, last)) = segment.sequences else { continue };
            let repeated = next.max(first) - first;
            frames += segment.frames.saturating_sub(repeated);
            next = next.max(last + 1);
        }
        frames
    }
}

/// Reads every frame of a directory and says what is there. A tail that is not whole is not yet
/// written, and no fault.
pub fn inspect(disk: &Arc<dyn Disk>, id: DirectoryId, path: &Path) -> io::Result<Report> {
    let cursor = Cursor::open(Arc::clone(disk), path, id)?.position();
    let files = directory::segments(&**disk, id, path)?;
    let mut walk = Walk { directory: id, ..Walk::default() };
    let mut segments = Vec::new();
    for (index, file) in files.iter().enumerate() {
        let later = files[index + 1..].iter().filter_map(|later| later.header.ok());
        walk.repeated_from = later.map(|header| header.first).min().unwrap_or(u64::MAX);
        segments.push(walk.segment(&**disk, file)?);
    }
    Ok(Report { directory: id, cursor, segments, faults: walk.faults })
}

/// The sequence behind a directory's last frame. Reads its last segments only.
pub fn end(disk: &dyn Disk, id: DirectoryId, path: &Path) -> io::Result<u64> {
    let files = directory::segments(disk, id, path)?;
    for file in files.iter().rev().filter(|file| file.may_hold_frames()) {
        let seed = frame::seed(id.0, file.number);
        let mut scan = Scan::new(disk.open(&file.path, Access::Read)?, seed);
        let mut end = None;
        loop {
            match scan.step()? {
                Found::Frame(stored) => end = end.max(Some(stored.sequence + 1)),
                Found::Gap { .. } => {}
                Found::End { .. } => break,
            }
        }
        if let Some(end) = end {
            return Ok(end);
        }
    }
    Ok(1)
}

/// The walk over all segments of a directory.
#[derive(Debug, Default)]
struct Walk {
    directory: DirectoryId,
    /// The sequence that should come next; 0 before the first frame.
    next: u64,
    /// Frames from this sequence on are repeated in a later segment.
    repeated_from: u64,
    /// Checksum and segment of each frame that is to be repeated.
    repeated: HashMap<u64, (u32, u64)>,
    faults: Vec<String>,
}

impl Walk {
    fn segment(&mut self, disk: &dyn Disk, file: &SegmentFile) -> io::Result<SegmentReport> {
        let number = file.number;
        let condition = match file.header {
            Ok(_) => Condition::Begun,
            Err(HeaderFault::Blank) => Condition::Prepared,
            Err(HeaderFault::Damaged) => Condition::HeaderDamaged,
            Err(HeaderFault::Foreign) => Condition::Foreign,
            Err(HeaderFault::Unknown) => Condition::Unknown,
        };
        if matches!(condition, Condition::Foreign | Condition::Unknown) {
            self.faults.push(format!("segment {number}: {}", condition.name()));
        }
        let predecessor = file.header.map_or(0, |header| header.predecessor);
        let mut report = SegmentReport {
            number,
            bytes: file.bytes,
            condition,
            predecessor,
            sequences: None,
            times: None,
            frames: 0,
        };
        if !file.may_hold_frames() {
            return Ok(report);
        }
        let seed = frame::seed(self.directory.0, number);
        let mut scan = Scan::new(disk.open(&file.path, Access::Read)?, seed);
        loop {
            match scan.step()? {
                Found::Frame(stored) => {
                    report.add(&stored);
                    self.frame(&stored, number, predecessor);
                }
                Found::Gap { from, to } => {
                    self.faults
                        .push(format!("segment {number}: bytes {from} to {to} are no frame"));
                }
                Found::End { .. } => break,
            }
        }
        if condition == Condition::HeaderDamaged && report.frames == 0 {
            report.condition = Condition::Torn;
        } else if condition == Condition::HeaderDamaged {
            self.faults.push(format!("segment {number}: {}", condition.name()));
        }
        Ok(report)
    }

    fn frame(&mut self, stored: &Stored<'_>, number: u64, predecessor: u64) {
        let sequence = stored.sequence;
        let sum = digest(stored);
        if let Some((before, segment)) = self.repeated.get(&sequence) {
            let is_named = predecessor != 0 && predecessor <= *segment;
            if *before != sum || !is_named {
                let why = if is_named { "with other bytes" } else { "without naming it" };
                self.faults.push(format!(
                    "segment {number}: repeats sequence {sequence} of segment {segment} {why}"
                ));
            }
        }
        if self.next != 0 && sequence > self.next {
            let (from, to) = (self.next, sequence - 1);
            self.faults.push(format!("segment {number}: sequences {from} to {to} are missing"));
        }
        if sequence >= self.repeated_from {
            self.repeated.insert(sequence, (sum, number));
        }
        self.next = self.next.max(sequence + 1);
    }
}

impl SegmentReport {
    fn add(&mut self, stored: &Stored<'_>) {
        let (sequence, time) = (stored.sequence, stored.frame.time);
        self.frames += 1;
        let first = self.sequences.map_or(sequence, |(first, _)| first);
        self.sequences = Some((first, sequence));
        let earliest = self.times.map_or(time, |(earliest, _)| earliest);
        self.times = Some((earliest, time));
    }
}

/// A checksum over what was appended, which is the same wherever it is repeated.
fn digest(stored: &Stored<'_>) -> u32 {
    let frame = &stored.frame;
    let mut sum = crc32c::crc32c(&frame.id);
    sum = crc32c::crc32c_append(sum, &frame.time.micros().to_le_bytes());
    sum = crc32c::crc32c_append(sum, &[frame.stream as u8]);
    sum = crc32c::crc32c_append(sum, frame.key);
    crc32c::crc32c_append(sum, frame.body)
}
