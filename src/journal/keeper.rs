//! The hand beside the writer's: it prepares the next segment ahead of need and deletes what
//! retention names, so that neither ever stands between a click and its answer.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, TryRecvError};
use std::time::Duration;

use super::adopted::Adopted;
use super::config::{Config, Keep};
use super::directory::{self, DirectoryId, SegmentFile};
use super::measures::Measures;
use super::queue::Queue;
use super::retention::{self, Candidate};
use super::segment::{self, Header};
use crate::clock::{Clock, Timestamp};
use crate::disk::{Blocks, Disk, DiskFile};

/// A prepared segment, or why there is none.
pub(super) type Prepared = (u64, io::Result<Box<dyn DiskFile>>);

/// The hand. It goes on by [turns](Keeper::turn); a thread takes them, or a simulation.
#[derive(Debug)]
pub(super) struct Keeper {
    pub(super) wanted: Receiver<u64>,
    pub(super) ready: Sender<Prepared>,
    /// The number of the segment that is written, or before it.
    pub(super) current: u64,
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
}

impl Keeper {
    /// Prepares each segment that is asked for; looks after retention each time and each minute.
    /// Ends when nobody can ask any more.
    pub(super) fn run(mut self) {
        loop {
            // A journal that is full takes events again as soon as something may go.
            let wait = if self.queue.is_full() { FULL_EVERY } else { RETENTION_EVERY };
            match self.wanted.recv_timeout(wait) {
                Ok(number) => self.provide(number),
                Err(RecvTimeoutError::Timeout) => self.retain(),
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    /// Prepares the segment that is asked for; false when none is.
    pub(super) fn turn(&mut self) -> bool {
        match self.wanted.try_recv() {
            Ok(number) => {
                self.provide(number);
                true
            }
            Err(TryRecvError::Empty | TryRecvError::Disconnected) => false,
        }
    }

    /// Deletes what retention names, in all directories that are ours.
    pub(super) fn retain(&self) {
        if let Err(error) = self.try_retain() {
            tracing::warn!(%error, "the journal's old segments could not be looked at");
        }
    }

    fn provide(&mut self, number: u64) {
        self.current = number.saturating_sub(1);
        let prepared = self.prepare(number);
        if let Err(error) = &prepared {
            tracing::warn!(segment = number, %error, "a segment of the journal was not prepared");
        }
        // A writer that has ended needs no segment: the next look for a number tells us.
        drop(self.ready.send((number, prepared)));
        self.retain();
    }

    /// A new segment of zeros in full length, synced with its directory.
    fn prepare(&self, number: u64) -> io::Result<Box<dyn DiskFile>> {
        let path = segment::path(&self.own.1, number);
        let file = self.disk.create(&path)?;
        let fill = || -> io::Result<()> {
            let mut zeros = Blocks::default();
            zeros.begin(FILL);
            let mut at = 0;
            while at < self.config.segment {
                let count = (self.config.segment - at).min(FILL as u64);
                zeros.fill(count as usize);
                file.write_blocks(&zeros, at)?;
                at += count;
            }
            file.sync()?;
            self.disk.sync_directory(&self.own.1)
        };
        if let Err(error) = fill() {
            // A half-made file would take the room that is missing. Nothing was written to it.
            self.disk.remove(&path).unwrap_or_else(|error| {
                tracing::warn!(%error, path = %path.display(), "left a half-made segment");
            });
            return Err(error);
        }
        Ok(file)
    }

    fn try_retain(&self) -> io::Result<()> {
        let (own_id, own_path) = &self.own;
        let mut folders = self.adopted.list();
        folders.push((*own_id, own_path.clone()));
        let (mut files, mut candidates, mut other) = (Vec::new(), Vec::new(), 0);
        for (id, path) in folders {
            let segments = match directory::segments(&*self.disk, id, &path) {
                Ok(segments) => segments,
                // Discarded since we listed it.
                Err(error) if id != *own_id && error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(error),
            };
            for (index, file) in segments.iter().enumerate() {
                if id == *own_id && file.number >= self.current {
                    other += file.bytes;
                    continue;
                }
                let next = segments[index + 1..].iter().find_map(|next| next.header.ok());
                candidates.push(self.candidate(id, file, next));
                files.push((file.clone(), next.map(|header| header.first)));
            }
        }
        let (size, age) = (self.config.retention_size, self.config.retention_age);
        let verdict = retention::decide(&candidates, other, size, age, self.clock.wall());
        let mut kept = other + candidates.iter().map(|candidate| candidate.bytes).sum::<u64>();
        for index in verdict.delete {
            let (file, next) = &files[index];
            self.disk.remove(&file.path)?;
            kept -= file.bytes;
            let first = file.header.map_or(0, |header| header.first);
            let count = next.map_or(0, |next| next.saturating_sub(first));
            self.measures.deleted.inc_by(count);
            let path = file.path.display();
            tracing::info!(%path, frames = count, "retention deleted a segment of the journal");
        }
        self.measures.kept.set(kept);
        self.queue.set_full(verdict.is_full);
        Ok(())
    }

    fn candidate(&self, id: DirectoryId, file: &SegmentFile, next: Option<Header>) -> Candidate {
        let needed = if id == self.own.0 {
            self.needed.load(Ordering::Acquire)
        } else {
            self.adopted.needed(id)
        };
        let is_deletable = match self.config.keep {
            // What we cannot read we did not write, or it is damaged: it stays.
            _ if file.header.is_err() => false,
            Keep::Recent => true,
            Keep::Unacknowledged => next.is_some_and(|next| next.first <= needed),
        };
        let modified = match (next, file.modified) {
            (Some(next), _) => next.begun,
            (None, 0) => self.clock.wall(),
            (None, modified) => Timestamp::from_micros(modified),
        };
        Candidate { bytes: file.bytes, modified, is_deletable }
    }
}

const FILL: usize = 1 << 20;
/// How often a journal at its size bound looks whether something may go.
const FULL_EVERY: Duration = Duration::from_millis(500);
const RETENTION_EVERY: Duration = Duration::from_secs(60);
