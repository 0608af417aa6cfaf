//! The hand beside the writer's: it prepares the next segment ahead of need and deletes what
//! retention names, so that neither ever stands between a click and its answer.

use std::io;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, TryRecvError};
use std::time::Duration;

use super::segment;
use super::sweeper::Sweeper;
use crate::disk::{Blocks, DiskFile};

/// A prepared segment, or why there is none.
pub(super) type Prepared = (u64, io::Result<Box<dyn DiskFile>>);

/// The hand. It goes on by [turns](Keeper::turn); a thread takes them, or a simulation.
#[derive(Debug)]
pub(super) struct Keeper {
    pub(super) wanted: Receiver<u64>,
    pub(super) ready: Sender<Prepared>,
    /// The segment that was asked for last.
    pub(super) asked: u64,
    /// The first segment that a crash may have left unfinished.
    pub(super) unfinished: u64,
    /// When this sequence is durable, all that a crash left is repeated.
    pub(super) start: u64,
    pub(super) sweeper: Sweeper,
}

impl Keeper {
    /// Prepares each segment that is asked for; looks after retention each time and each minute.
    /// Ends when nobody can ask any more.
    pub(super) fn run(mut self) {
        loop {
            // Room that something further on has made is not kept waiting for a minute.
            let is_full = self.sweeper.queue.sight().is_full;
            let every = if is_full { RETENTION_WHEN_FULL } else { RETENTION_EVERY };
            match self.wanted.recv_timeout(every) {
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
    pub(super) fn retain(&mut self) {
        // What a crash left may be all there is of an event until it is repeated.
        let is_repeated = self.sweeper.queue.durable() >= self.start;
        // The one before the last that was asked for is being written.
        let current = if is_repeated { self.asked.saturating_sub(1) } else { self.unfinished };
        if let Err(error) = self.sweeper.sweep(current) {
            tracing::warn!(%error, "the journal's old segments could not be looked at");
        }
    }

    fn provide(&mut self, number: u64) {
        self.asked = number;
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
        let Sweeper { disk, own: (_, directory), config, .. } = &self.sweeper;
        let path = segment::path(directory, number);
        let file = disk.create(&path)?;
        let fill = || -> io::Result<()> {
            let mut zeros = Blocks::default();
            zeros.begin(FILL);
            let mut at = 0;
            while at < config.segment {
                let count = (config.segment - at).min(FILL as u64);
                zeros.fill(count as usize);
                file.write_blocks(&zeros, at)?;
                at += count;
            }
            file.sync()?;
            disk.sync_directory(directory)
        };
        if let Err(error) = fill() {
            // A half-made file would take the room that is missing. Nothing was written to it.
            disk.remove(&path).unwrap_or_else(|error| {
                tracing::warn!(%error, path = %path.display(), "left a half-made segment");
            });
            return Err(error);
        }
        Ok(file)
    }
}

const FILL: usize = 1 << 20;
const RETENTION_EVERY: Duration = Duration::from_secs(60);
const RETENTION_WHEN_FULL: Duration = Duration::from_secs(1);
