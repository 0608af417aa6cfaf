//! Reads a directory's frames in order, with descriptors of its own, while it is being written
//! or at rest.

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use thiserror::Error;

use super::directory::{self, DirectoryId, SegmentFile};
use super::frame::{self, Stored};
use super::scan::{Found, Scan};
use crate::disk::{Access, Disk};

/// A walk through the frames of one directory.
///
/// Frames come in the order of their sequences, each once: what a segment repeats of an earlier
/// one is passed over, what is damaged or was deleted is skipped and counted.
pub struct Reader {
    disk: Arc<dyn Disk>,
    directory: DirectoryId,
    path: PathBuf,
    /// The sequence of the next frame.
    next: u64,
    /// The first sequence that may not be read yet.
    limit: Box<dyn Fn() -> u64 + Send>,
    open: Option<(u64, Scan)>,
    /// Segments behind the open one that were begun when we looked, with their first sequence.
    behind: VecDeque<(SegmentFile, Option<u64>)>,
    skipped: u64,
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
        Self::new(disk, directory, path, from, Box::new(|| u64::MAX))
    }

    pub(super) fn new(
        disk: Arc<dyn Disk>,
        directory: DirectoryId,
        path: &Path,
        from: u64,
        limit: Box<dyn Fn() -> u64 + Send>,
    ) -> Self {
        let path = path.to_owned();
        let (open, behind) = (None, VecDeque::new());
        Self { disk, directory, path, next: from.max(1), limit, open, behind, skipped: 0 }
    }

    /// The next frame; `None` when there is none yet.
    pub fn read(&mut self) -> Result<Option<Stored<'_>>, ReadError> {
        let found = self.seek();
        let Self { path, open, skipped, next, .. } = self;
        let wrong = |source| ReadError { path: path.clone(), source };
        let (true, Some((_, scan))) = (found.map_err(wrong)?, open) else { return Ok(None) };
        let Found::Frame(stored) = scan.step().map_err(wrong)? else { return Ok(None) };
        *skipped += stored.sequence - *next;
        *next = stored.sequence + 1;
        Ok(Some(stored))
    }

    /// The sequence of the next frame.
    pub fn position(&self) -> u64 {
        self.next
    }

    /// Frames that were skipped since they are damaged or were deleted.
    pub fn skipped(&self) -> u64 {
        self.skipped
    }

    /// Moves to the next frame that is due, so that one step reads it; false when
    /// there is none yet.
    fn seek(&mut self) -> io::Result<bool> {
        let limit = (self.limit)();
        loop {
            if self.next >= limit {
                return Ok(false);
            }
            if self.open.is_none() && !self.open_next()? {
                return Ok(false);
            }
            let Some((_, scan)) = &mut self.open else { return Ok(false) };
            let before = scan.offset();
            match scan.step()? {
                Found::Frame(stored) if stored.sequence >= self.next => {
                    let is_due = stored.sequence < limit;
                    scan.return_to(before);
                    return Ok(is_due);
                }
                Found::Frame(_) | Found::Gap { .. } => continue,
                Found::End { .. } => {}
            }
            if !self.open_next()? {
                return Ok(false);
            }
        }
    }

    /// Opens the next segment that may hold frames that are due; false when there is none yet.
    fn open_next(&mut self) -> io::Result<bool> {
        if self.behind.is_empty() {
            self.look()?;
        }
        // A segment whose successor begins at or before our place has nothing for us.
        while let [(_, _), (_, Some(first)), ..] = self.behind.make_contiguous() {
            if *first > self.next {
                break;
            }
            self.behind.pop_front();
        }
        while let Some((file, _)) = self.behind.pop_front() {
            match self.disk.open(&file.path, Access::Read) {
                Ok(opened) => {
                    let seed = frame::seed(self.directory.0, file.number);
                    self.open = Some((file.number, Scan::new(opened, seed)));
                    return Ok(true);
                }
                // Deleted by retention since we looked: its frames count as skipped.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        Ok(false)
    }

    /// Lists the segments behind the open one.
    fn look(&mut self) -> io::Result<()> {
        let after = self.open.as_ref().map_or(0, |(number, _)| *number);
        let files = directory::segments(&*self.disk, self.directory, &self.path)?;
        let begun = files.into_iter().filter(|file| file.number > after && file.may_hold_frames());
        self.behind = begun
            .map(|file| {
                let first = file.header.ok().map(|header| header.first);
                (file, first)
            })
            .collect();
        Ok(())
    }
}

impl fmt::Debug for Reader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { directory, next, .. } = self;
        f.debug_struct("Reader").field("directory", directory).field("next", next).finish()
    }
}
