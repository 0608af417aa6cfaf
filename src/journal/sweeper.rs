//! Deletes what [retention](super::retention) names, and nothing that is not surely ours.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::adopted::Adopted;
use super::config::{Config, Keep};
use super::cursor::Cursor;
use super::directory::{self, DirectoryId, SegmentFile};
use super::measures::Measures;
use super::queue::Queue;
use super::retention::{self, Bounds, Candidate, Standing, Steady};
use super::salvage::{self, Repetition};
use super::segment::HeaderFault;
use crate::clock::{Clock, Timestamp};
use crate::disk::{Access, BLOCK, Disk};

/// Looks after all directories of a process.
#[derive(Debug)]
pub(super) struct Sweeper {
    pub(super) disk: Arc<dyn Disk>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) config: Config,
    pub(super) own: (DirectoryId, PathBuf),
    /// Directories of processes that are gone.
    pub(super) adopted: Adopted,
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
    /// What a segment repeats of an earlier one, by the number of the earlier and of the later.
    pub(super) repeated: BTreeMap<(DirectoryId, u64, u64), Repetition>,
    /// Segments that are not understood, and of which that was told.
    pub(super) told: BTreeSet<(DirectoryId, u64)>,
    /// Segments that were looked at for room at their end.
    pub(super) trimmed: BTreeSet<(DirectoryId, u64)>,
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
    next: Option<SegmentFile>,
    /// Whether nothing is written to that one any more.
    is_next_left: bool,
    /// The first sequence of the next that repeats nothing: all before it was durable then.
    beyond: Option<u64>,
}

impl Sweeper {
    /// Deletes what is to go before segment `current` of our own directory, and in the others.
    pub(super) fn sweep(&mut self, current: u64) -> io::Result<()> {
        let own = self.own.clone();
        let mut folders = self.adopted.list();
        folders.push(own);
        let (mut left, mut candidates, mut other) = (Vec::new(), Vec::new(), 0);
        for (directory, (id, path)) in folders.iter().enumerate() {
            let files = match directory::segments(&*self.disk, *id, path) {
                // Discarded since we listed it.
                Err(error) if *id != self.own.0 && error.kind() == io::ErrorKind::NotFound => {
                    continue;
                }
                files => files?,
            };
            let needed = self.needed(*id, path)?;
            for (index, file) in files.iter().enumerate() {
                if *id == self.own.0 && file.number >= current && !self.is_strange(file) {
                    other += file.bytes;
                    continue;
                }
                let segment = self.left((*id, path), file, &files[index + 1..], current);
                let standing = self.standing(&segment, needed)?;
                let modified = self.modified(&segment);
                candidates.push(Candidate { directory, bytes: file.bytes, modified, standing });
                left.push(segment);
            }
        }
        self.tell_strange(left.iter().zip(&candidates));
        let verdict = retention::decide(&candidates, other, self.bounds(), self.clock.wall());
        self.measures.kept.set(verdict.kept);
        self.queue.set_full(verdict.is_full);
        for index in &verdict.delete {
            self.delete(&left[*index])?;
        }
        let kept = left.iter().enumerate().filter(|(index, _)| !verdict.delete.contains(index));
        kept.map(|(_, left)| left).try_for_each(|left| self.trim(left))
    }

    /// Counts what is not understood, and tells of each once.
    fn tell_strange<'a>(&mut self, all: impl Iterator<Item = (&'a Left<'a>, &'a Candidate)>) {
        let strange = all.filter(|(_, candidate)| candidate.standing == Standing::Strange);
        let mut count = 0;
        for (left, _) in strange {
            count += 1;
            if self.told.insert((left.id, left.file.number)) {
                let path = left.file.path.display();
                tracing::warn!(%path, "a segment is kept and not read: `waypost journal verify` tells why");
            }
        }
        self.measures.refused.set(count);
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

    fn left<'a>(
        &mut self,
        (id, directory): (DirectoryId, &'a Path),
        file: &SegmentFile,
        behind: &[SegmentFile],
        current: u64,
    ) -> Left<'a> {
        let is_own = id == self.own.0;
        let is_begun =
            |file: &&SegmentFile| file.header.is_ok() && !(is_own && self.is_strange(file));
        let mut begun = behind.iter().filter(is_begun);
        let beyond = begun.clone().find(|file| file.predecessor() == Some(0));
        let beyond = beyond.and_then(SegmentFile::first);
        let next = begun.next().cloned();
        let is_next_left = next.as_ref().is_some_and(|next| !is_own || next.number < current);
        let first = self.first(id, file);
        Left { directory, id, file: file.clone(), first, next, is_next_left, beyond }
    }

    /// The first sequence of a segment: a header tells it, or else a frame.
    fn first(&mut self, id: DirectoryId, file: &SegmentFile) -> Option<u64> {
        let place = (id, file.number);
        if id == self.own.0 && self.is_strange(file) {
            return None;
        }
        match file.header {
            Ok(header) => return Some(header.first),
            Err(HeaderFault::Foreign { .. } | HeaderFault::Unknown) => return None,
            Err(HeaderFault::Blank | HeaderFault::Torn | HeaderFault::Damaged) => {}
        }
        if let Some(found) = self.found.get(&place) {
            return *found;
        }
        // What the disk does not give now stops nothing else, and may be given another time.
        let found = salvage::first(&*self.disk, id, file).ok()?;
        self.found.insert(place, found);
        found
    }

    fn standing(&mut self, left: &Left<'_>, needed: Option<u64>) -> io::Result<Standing> {
        let Some(first) = left.first else {
            let is_blank = left.file.header == Err(HeaderFault::Blank)
                && directory::is_blank(&*self.disk, &left.file.path)?;
            // What is not blank and holds no frame of ours may be anybody's.
            return Ok(if is_blank { Standing::Spent } else { Standing::Strange });
        };
        if self.repetition(left).is_some_and(|repeated| repeated <= first) {
            return Ok(Standing::Spent);
        }
        let Some(needed) = needed else { return Ok(Standing::Free) };
        // Only worth a look when something of it has been acknowledged.
        let is_looked_at = first < needed || (first == needed && left.next.is_some());
        // What the disk does not give now may still be needed.
        let is_free = is_looked_at && self.end(left).is_ok_and(|end| end <= needed);
        Ok(if is_free { Standing::Free } else { Standing::Needed })
    }

    /// The first sequence of a segment that is surely kept without it: the next one repeats all
    /// from there on, and it was durable there or behind. A header alone does not tell: what it
    /// was to repeat may have been cut off by a crash.
    fn repetition(&mut self, left: &Left<'_>) -> Option<u64> {
        let next = left.next.as_ref().filter(|next| next.may_repeat(left.file.number))?;
        let place = (left.id, left.file.number, next.number);
        let read = match self.repeated.get(&place) {
            Some(read) => *read,
            // What the disk does not give now is not surely repeated.
            None => Repetition::read(&*self.disk, left.id, &left.file, next).ok()?,
        };
        if read.is_whole || left.is_next_left {
            self.repeated.insert(place, read);
        }
        let durable = if left.id == self.own.0 { self.queue.durable() } else { 0 };
        let is_kept = read.is_whole && read.end <= read.proven.max(durable);
        next.first().filter(|_| is_kept)
    }

    /// The first sequence beyond those of a segment that are not surely kept without it.
    fn end(&mut self, left: &Left<'_>) -> io::Result<u64> {
        if let Some(repeated) = self.repetition(left) {
            return Ok(repeated);
        }
        let is_repeated = left.next.as_ref().is_none_or(|next| next.predecessor() != Some(0));
        match left.beyond.filter(|beyond| left.first < Some(*beyond)) {
            Some(beyond) if !is_repeated => Ok(beyond),
            beyond => {
                let end = salvage::end(&*self.disk, left.id, &left.file);
                end.or_else(|error| beyond.ok_or(error))
            }
        }
    }

    /// A time at which nothing more was written to a segment.
    fn modified(&self, left: &Left<'_>) -> Timestamp {
        match (left.next.as_ref().and_then(|next| next.header.ok()), left.file.modified) {
            (Some(next), _) => next.begun,
            (None, 0) => self.clock.wall(),
            (None, modified) => Timestamp::from_micros(modified),
        }
    }

    /// Gives back the room at the end of a segment that was left early, so that a process that is
    /// restarted for ever does not fill the journal with segments of one frame each.
    fn trim(&mut self, left: &Left<'_>) -> io::Result<()> {
        let is_early = left.next.as_ref().is_none_or(|next| next.predecessor() != Some(0));
        if left.first.is_none() || !is_early || !self.trimmed.insert((left.id, left.file.number)) {
            return Ok(());
        }
        let Some(end) = salvage::blank_from(&*self.disk, left.id, &left.file)? else {
            return Ok(());
        };
        let end = end.next_multiple_of(BLOCK as u64);
        if end < left.file.bytes {
            self.disk.open(&left.file.path, Access::Write)?.set_length(end)?;
        }
        Ok(())
    }

    fn delete(&mut self, left: &Left<'_>) -> io::Result<()> {
        let frames = match left.first {
            Some(first) => {
                // What cannot be read any more goes too: the next one tells about where it ended.
                let next = left.next.as_ref().and_then(SegmentFile::first);
                self.end(left).ok().or(next).map_or(0, |end| end.saturating_sub(first))
            }
            None => 0,
        };
        self.disk.remove(&left.file.path)?;
        // Gone from here on, whatever becomes of the directory.
        self.measures.deleted.inc_by(frames);
        // One by one, so that no power cut brings one back whose successor is gone.
        self.disk.sync_directory(left.directory)?;
        let path = left.file.path.display();
        tracing::info!(%path, frames, "retention deleted a segment of the journal");
        Ok(())
    }
}
