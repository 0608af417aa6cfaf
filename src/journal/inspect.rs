//! Looks at directories without changing them: what is kept, and whether all of it can be read.

use std::io;
use std::path::Path;
use std::sync::Arc;

use super::cursor::Cursor;
use super::directory::{self, DirectoryId, SegmentFile};
use super::frame::{self, Numbered};
use super::missing::{Missing, Run};
use super::overlap::{Contradiction, Overlap};
use super::report::{Condition, Fault, Note, Report, SegmentReport};
use super::salvage;
use super::scan::{Found, Scan, Unreadable};
use super::segment::HeaderFault;
use crate::disk::{Access, Disk};

/// Reads every frame of a directory and says what is there. A tail that is not whole is not yet
/// written, and no fault; nor is what a crash left unfinished, since nothing was said of it.
pub fn inspect(disk: &Arc<dyn Disk>, id: DirectoryId, path: &Path) -> io::Result<Report> {
    let mut tries = 0;
    loop {
        tries += 1;
        match look(disk, id, path) {
            // Retention deleted a segment while we were looking: what is gone is no fault.
            Err(error) if error.kind() == io::ErrorKind::NotFound && tries < TRIES => {}
            report => return report,
        }
    }
}

fn look(disk: &Arc<dyn Disk>, id: DirectoryId, path: &Path) -> io::Result<Report> {
    let cursor = Cursor::open(Arc::clone(disk), path, id)?;
    let mut files = directory::segments(&**disk, id, path)?;
    directory::read_blanks(&**disk, &mut files)?;
    let mut walk = Walk { directory: id, ..Walk::default() };
    let mut segments = Vec::new();
    for (index, file) in files.iter().enumerate() {
        walk.repeatable = directory::repeatable(&files[index + 1..]);
        segments.push(walk.segment(&**disk, file)?);
    }
    for (index, report) in segments.iter_mut().enumerate() {
        walk.condition(report, &files[index + 1..]);
    }
    walk.settle();
    if cursor.is_damaged() {
        walk.notes.push(Note::Cursor);
    }
    let cursor = cursor.position();
    let Walk { faults, notes, frames, lost, .. } = walk;
    Ok(Report { directory: id, cursor, segments, frames, lost, faults, notes })
}

/// The sequence behind a directory's last frame. Reads its last segments only.
pub fn end(disk: &dyn Disk, id: DirectoryId, path: &Path) -> io::Result<u64> {
    let mut files = directory::segments(disk, id, path)?;
    directory::read_blanks(disk, &mut files)?;
    for file in files.iter().rev().filter(|file| file.may_hold_frames()) {
        let end = salvage::end(disk, id, file)?;
        if end > 1 {
            return Ok(end);
        }
    }
    Ok(1)
}

/// The walk over all segments of a directory.
#[derive(Debug, Default)]
struct Walk {
    directory: DirectoryId,
    /// The sequence that should come next; 0 before the first segment.
    next: u64,
    /// The first sequence that a later segment may hold as well.
    repeatable: u64,
    overlap: Overlap,
    /// The segment before.
    before: u64,
    /// The sequences that were missing where they should have stood.
    missing: Missing,
    voids: Missing,
    /// Every sequence before this one was durable once.
    proven: u64,
    frames: u64,
    lost: u64,
    faults: Vec<Fault>,
    notes: Vec<Note>,
}

impl Walk {
    fn segment(&mut self, disk: &dyn Disk, file: &SegmentFile) -> io::Result<SegmentReport> {
        let number = file.number;
        let mut report = SegmentReport::new(file);
        match file.header {
            Err(HeaderFault::Foreign { directory, number: original }) => {
                let directory = DirectoryId(directory);
                self.faults.push(Fault::Foreign { segment: number, directory, original });
            }
            Err(HeaderFault::Unknown) => self.faults.push(Fault::Unknown { segment: number }),
            Ok(header) => {
                self.proven = self.proven.max(header.first);
                // What should have stood before it is missing there.
                self.expect(header.first, self.before);
            }
            Err(_) => {}
        }
        if !file.may_hold_frames() {
            return Ok(report);
        }
        self.before = number;
        if let Some(contradiction) = self.contradiction(disk, file)? {
            report.condition = Condition::Refused;
            self.faults.push(Fault::Refused { segment: number, contradiction });
            return Ok(report);
        }
        let mut scan = self.open(disk, file)?;
        loop {
            match scan.step()? {
                Found::Frame(numbered) => {
                    report.add(&numbered);
                    self.frame(&numbered, number);
                }
                Found::Gap { from, to } => {
                    self.notes.push(Note::Gap { segment: number, from, to });
                }
                Found::End { at, is_clean } => {
                    report.unfinished = (!is_clean).then_some(at);
                    break;
                }
            }
        }
        if scan.has_unreadable() {
            self.faults.push(Fault::Unreadable { segment: number });
        }
        if let Some(from) = report.unfinished {
            self.notes.push(Note::Unfinished { segment: number, from });
        }
        Ok(report)
    }

    /// The first thing that a segment says against an earlier one. All that it repeats stands
    /// before all that it adds.
    fn contradiction(
        &self,
        disk: &dyn Disk,
        file: &SegmentFile,
    ) -> io::Result<Option<Contradiction>> {
        let mut scan = self.open(disk, file)?;
        loop {
            match scan.step()? {
                Found::Frame(numbered) if numbered.sequence < self.next => {
                    let (sequence, digest) = (numbered.sequence, numbered.digest());
                    let judged = self.overlap.judge(sequence, digest, file.predecessor());
                    if let Err(contradiction) = judged {
                        return Ok(Some(contradiction));
                    }
                }
                Found::Gap { .. } => {}
                Found::Frame(_) | Found::End { .. } => return Ok(None),
            }
        }
    }

    fn open(&self, disk: &dyn Disk, file: &SegmentFile) -> io::Result<Scan> {
        let seed = frame::seed(self.directory.0, file.number);
        Ok(Scan::new(disk.open(&file.path, Access::Read)?, seed, Unreadable::IsDamage))
    }

    fn frame(&mut self, numbered: &Numbered<'_>, number: u64) {
        let sequence = numbered.sequence;
        self.proven = self.proven.max(numbered.proven());
        if self.next == 0 && number == 1 {
            // Whatever its header says, the first segment begins with the first sequence.
            self.next = 1;
        }
        self.expect(sequence, number);
        let is_new = self.next <= sequence || self.missing.remove(sequence);
        self.next = self.next.max(sequence + 1);
        if is_new && numbered.frame.is_some() {
            self.frames += 1;
        } else if is_new {
            self.voids.add(sequence, sequence + 1, number);
        }
        if sequence >= self.repeatable {
            self.overlap.meet(sequence, numbered.digest(), number);
        }
    }

    /// What stands between the last sequence and this one is missing, as far as we know.
    fn expect(&mut self, sequence: u64, number: u64) {
        if self.next == 0 {
            // What was before it was deleted.
            self.next = sequence;
        }
        self.missing.add(self.next, sequence, number);
        self.next = self.next.max(sequence);
    }

    /// Whether a header that cannot be read is damage. A crash may have kept it from arriving
    /// with the first frames; all of them are then unproven, or repeated.
    fn condition(&mut self, report: &mut SegmentReport, later: &[SegmentFile]) {
        let segment = report.number;
        let first = report.sequences.map_or(u64::MAX, |(first, _)| first);
        let repeats = |file: &SegmentFile| {
            file.may_repeat(segment) && file.first().is_some_and(|from| from <= first)
        };
        if report.condition == Condition::Torn && !later.iter().any(repeats) && first < self.proven
        {
            report.condition = Condition::HeaderDamaged;
        }
        match report.condition {
            Condition::Torn => self.notes.push(Note::Torn { segment }),
            Condition::HeaderDamaged => self.faults.push(Fault::HeaderDamaged { segment }),
            _ => {}
        }
    }

    /// What is still missing was lost if it was durable once; if not, a crash left it unfinished.
    fn settle(&mut self) {
        let (lost, left) = std::mem::take(&mut self.missing).split(self.proven);
        let (voids, _) = std::mem::take(&mut self.voids).split(u64::MAX);
        self.lost = lost.iter().map(Run::count).sum();
        let lost = lost.into_iter();
        self.faults.extend(lost.map(|Run { segment, first, last }| Fault::Lost {
            segment,
            first,
            last,
        }));
        let left = left.into_iter();
        self.notes.extend(left.map(|Run { segment, first, last }| Note::Left {
            segment,
            first,
            last,
        }));
        let voids = voids.into_iter();
        self.notes.extend(voids.map(|Run { segment, first, last }| Note::Void {
            segment,
            first,
            last,
        }));
    }
}

/// Looks, each undone by retention, after which something else must be wrong.
const TRIES: u32 = 20;
