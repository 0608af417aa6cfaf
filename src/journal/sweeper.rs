//! Deletes what [retention](super::retention) names, and nothing that is not surely ours.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::config::{Config, Keep};
use super::cursor::Cursor;
use super::directory::{self, DirectoryId, Held, SegmentFile};
use super::measures::Measures;
use super::queue::Queue;
use super::retention::{self, Bounds, Candidate, Standing, Steady};
use super::salvage;
use super::segment::{Header, HeaderFault};
use crate::clock::{Clock, Timestamp};
use crate::disk::Disk;

/// Looks after all directories of a process.
#[derive(Debug)]
pub(super) struct Sweeper {
    pub(super) disk: Arc<dyn Disk>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) config: Config,
    pub(super) own: (DirectoryId, PathBuf),
    /// Directories of processes that are gone, oldest first; we hold their locks.
    pub(super) adopted: Vec<Held>,
    pub(super) queue: Arc<Queue>,
    /// The first sequence of our own directory that is still needed further on.
    pub(super) needed: Arc<AtomicU64>,
    pub(super) measures: Measures,
    /// Segments of our own directory that contradict earlier ones.
    pub(super) refused: Vec<u64>,
    /// Whether the wall clock can be trusted.
    pub(super) steady: Steady,
    /// The first sequence that was found in each segment whose header tells none.
    pub(super) found: BTreeMap<(DirectoryId, u64), Option<u64>>,
}

/// A segment that is not written any more.
#[derive(Debug)]
struct Left<'a> {
    directory: &'a Path,
    id: DirectoryId,
    file: SegmentFile,
    /// Its first sequence; none when there is nothing of ours in it.
    first: Option<u64>,
    /// The next segment that was begun.
    next: Option<Header>,
}

impl Sweeper {
    /// Deletes what is to go before segment `current` of our own directory, and in the others.
    pub(super) fn sweep(&mut self, current: u64) -> io::Result<()> {
        let own = self.own.clone();
        let mut folders: Vec<_> =
            self.adopted.iter().map(|held| (held.id, held.path.clone())).collect();
        folders.push(own);
        let (mut left, mut candidates, mut other) = (Vec::new(), Vec::new(), 0);
        for (directory, (id, path)) in folders.iter().enumerate() {
            let files = directory::segments(&*self.disk, *id, path)?;
            let needed = self.needed(*id, path)?;
            for (index, file) in files.iter().enumerate() {
                if *id == self.own.0 && file.number >= current && !self.is_strange(file) {
                    other += file.bytes;
                    continue;
                }
                let next = files[index + 1..].iter().find_map(|next| next.header.ok());
                let first = self.first(*id, file)?;
                let segment = Left { directory: path, id: *id, file: file.clone(), first, next };
                let standing = self.standing(&segment, needed)?;
                let modified = self.modified(file, next);
                candidates.push(Candidate { directory, bytes: file.bytes, modified, standing });
                left.push(segment);
            }
        }
        let strange = candidates.iter().filter(|of| of.standing == Standing::Strange).count();
        self.measures.refused.set(strange as u64);
        let verdict = retention::decide(&candidates, other, self.bounds(), self.clock.wall());
        self.measures.kept.set(verdict.kept);
        self.queue.set_full(verdict.is_full);
        verdict.delete.into_iter().try_for_each(|index| self.delete(&left[index]))
    }

    fn bounds(&mut self) -> Bounds {
        let (size, age) = (self.config.retention_size, self.config.retention_age);
        let still = self.steady.look(self.clock.now(), self.clock.wall());
        Bounds { size, age: (still >= retention::stillness(age)).then_some(age) }
    }

    /// The first sequence of a directory that is still needed; `None` when none is.
    fn needed(&self, id: DirectoryId, path: &Path) -> io::Result<Option<u64>> {
        Ok(match self.config.keep {
            Keep::Recent => None,
            Keep::Unacknowledged if id == self.own.0 => Some(self.needed.load(Ordering::Acquire)),
            Keep::Unacknowledged => {
                Some(Cursor::open(Arc::clone(&self.disk), path, id)?.position())
            }
        })
    }

    /// Whether a segment of our own directory is another's, by what we know of it.
    fn is_strange(&self, file: &SegmentFile) -> bool {
        matches!(file.header, Err(HeaderFault::Foreign { .. } | HeaderFault::Unknown))
            || self.refused.contains(&file.number)
    }

    /// The first sequence of a segment: a header tells it, or else a frame.
    fn first(&mut self, id: DirectoryId, file: &SegmentFile) -> io::Result<Option<u64>> {
        let place = (id, file.number);
        if id == self.own.0 && self.is_strange(file) {
            return Ok(None);
        }
        match file.header {
            Ok(header) => return Ok(Some(header.first)),
            Err(HeaderFault::Foreign { .. } | HeaderFault::Unknown) => return Ok(None),
            Err(HeaderFault::Blank | HeaderFault::Torn | HeaderFault::Damaged) => {}
        }
        if let Some(found) = self.found.get(&place) {
            return Ok(*found);
        }
        let found = salvage::first(&*self.disk, id, file)?;
        self.found.insert(place, found);
        Ok(found)
    }

    fn standing(&self, left: &Left<'_>, needed: Option<u64>) -> io::Result<Standing> {
        let Left { id, file, first, next, .. } = left;
        let Some(first) = *first else {
            let is_blank = file.header == Err(HeaderFault::Blank)
                && directory::is_blank(&*self.disk, &file.path)?;
            // What is not blank and holds no frame of ours may be anybody's.
            return Ok(if is_blank { Standing::Unused } else { Standing::Strange });
        };
        let Some(needed) = needed else { return Ok(Standing::Free) };
        let end = match next {
            Some(next) => next.first,
            // Only worth a look when something of it has been acknowledged.
            None if first < needed => salvage::end(&*self.disk, *id, file)?,
            None => u64::MAX,
        };
        Ok(if end <= needed { Standing::Free } else { Standing::Needed })
    }

    /// A time at which nothing more was written to a segment.
    fn modified(&self, file: &SegmentFile, next: Option<Header>) -> Timestamp {
        match (next, file.modified) {
            (Some(next), _) => next.begun,
            (None, 0) => self.clock.wall(),
            (None, modified) => Timestamp::from_micros(modified),
        }
    }

    fn delete(&self, left: &Left<'_>) -> io::Result<()> {
        let end = match (left.first, left.next) {
            (None, _) => 0,
            (Some(_), Some(next)) => next.first,
            (Some(_), None) => salvage::end(&*self.disk, left.id, &left.file)?,
        };
        let frames = end.saturating_sub(left.first.unwrap_or(end));
        self.disk.remove(&left.file.path)?;
        // One by one, so that no power cut brings one back whose successor is gone.
        self.disk.sync_directory(left.directory)?;
        self.measures.deleted.inc_by(frames);
        let path = left.file.path.display();
        tracing::info!(%path, frames, "retention deleted a segment of the journal");
        Ok(())
    }
}
