//! Reads a directory's frames in order, with descriptors of its own, while it is being written
//! or at rest.

use std::collections::{BTreeSet, VecDeque};
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use thiserror::Error;

use super::directory::{self, DirectoryId, SegmentFile};
use super::frame::{self, Numbered, Stored};
use super::overlap::Overlap;
use super::scan::{Found, Scan, Unreadable};
use super::segment::HeaderFault;
use crate::disk::{Access, Disk, DiskFile};

/// A walk through the frames of one directory.
///
/// Frames come in the order of their sequences, each once: what a segment repeats of an earlier
/// one is passed over, what is damaged or was deleted is skipped and counted. A segment that
/// contradicts an earlier one is not read.
pub struct Reader {
    disk: Arc<dyn Disk>,
    directory: DirectoryId,
    path: PathBuf,
    /// The sequence of the next frame.
    next: u64,
    /// The first sequence that may not be read yet; none outside the process that writes.
    limit: Option<Box<dyn Fn() -> u64 + Send>>,
    open: Option<Open>,
    /// The number of the segment that was opened last.
    at: u64,
    /// Segments behind the open one that were begun when we looked.
    behind: VecDeque<SegmentFile>,
    overlap: Overlap,
    /// A prepared segment that was read through and is blank.
    blank: Option<u64>,
    /// The sequence that could not be read when we looked last, and may be on its way.
    doubt: Option<u64>,
    /// Sequences that were passed over, and may never have been durable.
    doubtful: BTreeSet<u64>,
    /// Whether all that stood before the first segment behind was deleted.
    is_cut: bool,
    /// Whether nothing before the open segment is kept, and where that begins is not known.
    begins_anywhere: bool,
    skipped: u64,
    deleted: u64,
    refused: u64,
}

/// The segment that is being read.
struct Open {
    number: u64,
    predecessor: Option<u64>,
    scan: Scan,
    /// The first sequence that a later segment may hold as well.
    repeatable: u64,
    /// Whether a later segment was begun, so that nothing is added to this one.
    is_left: bool,
}

/// What was met in the open segment.
#[derive(Clone, Copy)]
struct Met {
    sequence: u64,
    /// Every sequence before this one was durable.
    proven: u64,
    digest: Option<u32>,
    is_void: bool,
}

/// How the walk comes to what it met, over what is missing before it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    /// Straight on.
    Here,
    /// Through a later segment, which repeats what is missing.
    Elsewhere,
    /// Not yet: it may be on its way.
    NotYet,
}

/// A directory could not be read. Worth a retry.
#[derive(Debug, Error)]
#[error("the journal's directory {} could not be read: {source}", path.display())]
pub struct ReadError {
    path: PathBuf,
    source: io::Error,
}

impl Reader {
    /// A reader of what another process writes, or wrote: a tail that is not whole is not yet
    /// written. Takes no lock.
    pub fn outside(disk: Arc<dyn Disk>, directory: DirectoryId, path: &Path, from: u64) -> Self {
        Self::new(disk, directory, path, from, None)
    }

    pub(super) fn new(
        disk: Arc<dyn Disk>,
        directory: DirectoryId,
        path: &Path,
        from: u64,
        limit: Option<Box<dyn Fn() -> u64 + Send>>,
    ) -> Self {
        Self {
            disk,
            directory,
            path: path.to_owned(),
            next: from.max(1),
            limit,
            open: None,
            at: 0,
            behind: VecDeque::new(),
            overlap: Overlap::default(),
            blank: None,
            doubt: None,
            doubtful: BTreeSet::new(),
            is_cut: false,
            begins_anywhere: false,
            skipped: 0,
            deleted: 0,
            refused: 0,
        }
    }

    /// The next frame; `None` when there is none yet, and once before something is passed over
    /// that cannot be read: see [`Reader::is_in_doubt`].
    pub fn read(&mut self) -> Result<Option<Stored<'_>>, ReadError> {
        let found = self.seek();
        let Self { path, open, next, .. } = self;
        let wrong = |source| ReadError { path: path.clone(), source };
        let (true, Some(open)) = (found.map_err(wrong)?, open) else { return Ok(None) };
        let Found::Frame(numbered) = open.scan.step().map_err(wrong)? else { return Ok(None) };
        let Numbered { sequence, behind, frame: Some(frame) } = numbered else { return Ok(None) };
        *next = sequence + 1;
        Ok(Some(Stored { sequence, behind, frame }))
    }

    /// The sequence of the next frame.
    pub fn position(&self) -> u64 {
        self.next
    }

    /// Whether what comes next cannot be read, has frames behind it, and may be a batch that is
    /// just being written. The next [`Reader::read`] passes over what it still cannot read then.
    pub fn is_in_doubt(&self) -> bool {
        self.doubt == Some(self.next)
    }

    /// Frames that were durable and were skipped, since they are damaged or were deleted.
    pub fn skipped(&self) -> u64 {
        self.skipped
    }

    /// Those of the skipped ones that stood before the first segment that is kept: retention
    /// deleted them.
    pub fn deleted(&self) -> u64 {
        self.deleted
    }

    /// Segments that were not read, since they contradict earlier ones.
    pub fn refused(&self) -> u64 {
        self.refused
    }

    /// Moves to the next frame that is due, so that one step reads it; false when there is none
    /// yet.
    fn seek(&mut self) -> io::Result<bool> {
        let limit = self.limit.as_ref().map_or(u64::MAX, |limit| limit());
        while self.next < limit {
            let Some(open) = &mut self.open else {
                if self.open_next()? {
                    continue;
                }
                return Ok(false);
            };
            let before = open.scan.offset();
            let met = match open.scan.step()? {
                Found::Frame(numbered) => Some(met(&numbered, self.next, open.repeatable)),
                Found::Gap { .. } => continue,
                Found::End { .. } => None,
            };
            let Some(met) = met else {
                if self.leave()? {
                    continue;
                }
                return Ok(false);
            };
            if met.sequence < self.next {
                self.repeated(met);
                continue;
            }
            let way = if met.sequence < limit { self.way_to(met)? } else { Way::NotYet };
            if way == Way::Elsewhere {
                continue;
            }
            if way == Way::Here {
                self.pass_to(met);
                if met.is_void {
                    self.next += 1;
                    continue;
                }
            }
            if let Some(open) = &mut self.open {
                open.scan.return_to(before);
            }
            return Ok(way == Way::Here);
        }
        Ok(false)
    }

    /// Goes on behind the open segment; false while nothing was begun behind it.
    fn leave(&mut self) -> io::Result<bool> {
        if self.open.as_ref().is_some_and(|open| open.is_left) {
            return self.open_next();
        }
        if self.behind.is_empty() {
            self.look()?;
        }
        if self.behind.is_empty() {
            return Ok(false);
        }
        // The writer may have added to it between our reading and our looking: once more.
        if let Some(open) = &mut self.open {
            open.is_left = true;
        }
        Ok(true)
    }

    /// Passes over what was read before, unless it is not the same.
    fn repeated(&mut self, met: Met) {
        let Some(open) = &self.open else { return };
        self.doubtful.remove(&met.sequence);
        let judged = self.overlap.judge(met.sequence, met.digest, open.predecessor);
        if let Err(contradiction) = judged {
            let (directory, segment) = (self.directory, open.number);
            tracing::error!(%directory, segment, %contradiction, "a segment is refused");
            self.refused += 1;
            self.open = None;
        }
    }

    fn way_to(&mut self, met: Met) -> io::Result<Way> {
        let Some(number) = self.open.as_ref().map(|open| open.number) else {
            return Ok(Way::NotYet);
        };
        if met.sequence == self.next {
            return Ok(Way::Here);
        }
        if self.behind.is_empty() {
            self.look()?;
        }
        let repeats = |file: &SegmentFile| {
            file.may_repeat(number) && file.first().is_some_and(|first| first < met.sequence)
        };
        if self.behind.iter().any(repeats) && self.open_next()? {
            return Ok(Way::Elsewhere);
        }
        let is_settled = met.proven >= met.sequence || !self.behind.is_empty();
        if is_settled || self.is_in_doubt() {
            return Ok(Way::Here);
        }
        self.doubt = Some(self.next);
        Ok(Way::NotYet)
    }

    /// Counts what is missing before what was met, and makes that the next.
    fn pass_to(&mut self, met: Met) {
        if std::mem::take(&mut self.begins_anywhere) {
            self.pass_deleted(met.sequence.min(met.proven));
        }
        let unproven = self.doubtful.split_off(&met.proven);
        self.skipped += std::mem::replace(&mut self.doubtful, unproven).len() as u64;
        self.skipped += met.sequence.min(met.proven).saturating_sub(self.next);
        self.doubtful.extend(self.next.max(met.proven)..met.sequence);
        self.next = met.sequence;
        self.doubt = None;
        if let Some(open) = self.open.as_ref().filter(|open| met.sequence >= open.repeatable) {
            self.overlap.meet(met.sequence, met.digest, open.number);
        }
    }

    /// Counts what was deleted before a sequence, and goes on there.
    fn pass_deleted(&mut self, first: u64) {
        let deleted = first.saturating_sub(self.next);
        self.skipped += deleted;
        self.deleted += deleted;
        self.next += deleted;
    }

    /// Opens the next segment that may hold frames that are due; false when there is none yet.
    fn open_next(&mut self) -> io::Result<bool> {
        if self.behind.is_empty() {
            self.look()?;
        }
        self.behind.drain(..self.first_due());
        while let Some(file) = self.behind.pop_front() {
            match self.disk.open(&file.path, Access::Read) {
                Ok(opened) => {
                    self.enter(&file, opened);
                    return Ok(true);
                }
                // Deleted by retention since we looked: its frames count as skipped.
                Err(error) if error.kind() == io::ErrorKind::NotFound => self.is_cut = true,
                Err(error) => return Err(error),
            }
        }
        Ok(false)
    }

    /// Which of the segments behind is the first with something for us: what is due, or what shows
    /// whether a later one repeats it truly.
    fn first_due(&self) -> usize {
        let begins = |file: &SegmentFile| file.first().is_some_and(|first| first <= self.next);
        let due = self.behind.iter().rposition(begins).unwrap_or(0);
        let named = self
            .behind
            .iter()
            .position(|file| self.behind.get(due).is_some_and(|due| due.may_repeat(file.number)));
        due.saturating_sub(1).min(named.unwrap_or(due))
    }

    fn enter(&mut self, file: &SegmentFile, opened: Box<dyn DiskFile>) {
        let seed = frame::seed(self.directory.0, file.number);
        let scan = Scan::new(opened, seed, Unreadable::Fails);
        let repeatable = directory::repeatable(&self.behind);
        self.overlap.forget_before(repeatable.min(file.first().unwrap_or(0)));
        let (number, predecessor) = (file.number, file.predecessor());
        self.begins_anywhere |= std::mem::take(&mut self.is_cut);
        if std::mem::take(&mut self.begins_anywhere) {
            match file.first() {
                Some(first) => self.pass_deleted(first),
                // The first segment of all begins with the first sequence.
                None => self.begins_anywhere = number > 1,
            }
        }
        self.at = number;
        self.open = Some(Open { number, predecessor, scan, repeatable, is_left: false });
    }

    /// Lists the segments behind the open one.
    fn look(&mut self) -> io::Result<()> {
        let mut files = directory::segments(&*self.disk, self.directory, &self.path)?;
        // Whoever writes knows that the last one which is blank is prepared.
        let spare = files.last().filter(|_| self.limit.is_some()).map(|file| file.number);
        let is_blank = |file: &SegmentFile| {
            let number = Some(file.number);
            file.header == Err(HeaderFault::Blank) && (self.blank == number || spare == number)
        };
        let foreign = |file: &SegmentFile| {
            matches!(file.header, Err(HeaderFault::Foreign { .. } | HeaderFault::Unknown))
        };
        self.is_cut = !files.iter().any(|file| file.number <= self.at && !foreign(file));
        files.retain(|file| file.number > self.at && !is_blank(file));
        directory::read_blanks(&*self.disk, &mut files)?;
        let blank = files.iter().rfind(|file| file.header == Err(HeaderFault::Blank));
        self.blank = blank.map_or(self.blank, |file| Some(file.number));
        files.retain(SegmentFile::may_hold_frames);
        self.behind = files.into();
        Ok(())
    }
}

fn met(numbered: &Numbered<'_>, next: u64, repeatable: u64) -> Met {
    let sequence = numbered.sequence;
    // A checksum for each frame would be dear, and few are ever repeated.
    let is_compared = sequence < next || sequence >= repeatable;
    let digest = is_compared.then(|| numbered.digest()).flatten();
    Met { sequence, proven: numbered.proven(), digest, is_void: numbered.frame.is_none() }
}

impl fmt::Debug for Reader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { directory, next, .. } = self;
        f.debug_struct("Reader").field("directory", directory).field("next", next).finish()
    }
}
