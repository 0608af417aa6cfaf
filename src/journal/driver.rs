//! The writer thread: does what the [writer](super::writer) decides, and nothing else.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender};
use std::time::Duration;

use super::config::Sync;
use super::keeper::Prepared;
use super::measures::{Measures, Step};
use super::queue::{Batch, Queue};
use super::writer::{Action, Event, Writer};
use crate::clock::Clock;
use crate::disk::DiskFile;
use crate::metrics::Degraded;

/// The thread's state.
#[derive(Debug)]
pub(super) struct Driver {
    pub(super) writer: Writer,
    pub(super) queue: Arc<Queue>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) gather: Duration,
    pub(super) sync: Sync,
    pub(super) file: Option<Box<dyn DiskFile>>,
    pub(super) spare: Spare,
    pub(super) measures: Measures,
    pub(super) degraded: Degraded,
}

/// The prepared segment, asked for one ahead.
#[derive(Debug)]
pub(super) struct Spare {
    pub(super) wanted: Sender<u64>,
    pub(super) ready: Receiver<Prepared>,
    /// The number that was asked for last.
    pub(super) asked: u64,
}

impl Driver {
    /// Makes `first` durable, which holds what there is of the sequences before `start`, then
    /// batch after batch until the queue is closed and empty, or abandoned while the disk fails.
    pub(super) fn run(mut self, first: Batch, start: u64) {
        self.make_durable(first);
        if self.queue.is_abandoned() {
            return;
        }
        self.queue.publish(start, &[]);
        let mut last = 0;
        let mut emptied = self.writer.emptied();
        while let Some(batch) = self.queue.take(emptied, last, self.gather) {
            last = batch.count;
            self.measures.batch_frames.observe(last as f64);
            self.make_durable(batch);
            if self.queue.is_abandoned() {
                return;
            }
            emptied = self.writer.emptied();
        }
    }

    /// Makes one batch durable, however long that takes.
    fn make_durable(&mut self, batch: Batch) {
        let mut event = Event::Batch(batch);
        loop {
            event = match self.writer.step(event, self.clock.now(), self.clock.wall()) {
                Action::Open { number } => {
                    let opened = self.open(number);
                    Event::Opened(self.went_well("open", opened))
                }
                Action::Write { offset } => {
                    let written = self.write(offset);
                    Event::Written(self.went_well("write", written))
                }
                Action::Sync => {
                    let synced = self.sync();
                    Event::Synced(self.went_well("sync", synced))
                }
                Action::Publish { durable } => {
                    self.measures.durable.set(durable);
                    self.degraded.end(REASON);
                    self.queue.publish(durable, &self.writer.batch().from);
                    Event::Published
                }
                Action::Wait { until } => {
                    let now = self.clock.now();
                    std::thread::sleep(until.saturating_duration_since(now));
                    if self.queue.is_abandoned() {
                        return;
                    }
                    Event::Retry
                }
                Action::Rest => return,
            };
        }
    }

    fn open(&mut self, number: u64) -> io::Result<()> {
        self.file = None;
        let gone = || io::Error::other("the journal's keeper has ended");
        if self.spare.asked < number {
            self.spare.wanted.send(number).map_err(|_| gone())?;
            self.spare.asked = number;
        }
        loop {
            let (prepared, file) = self.spare.ready.recv().map_err(|_| gone())?;
            if prepared == number {
                self.file = Some(file?);
                break;
            }
        }
        self.spare.asked = number + 1;
        self.spare.wanted.send(number + 1).map_err(|_| gone())
    }

    fn write(&self, offset: u64) -> io::Result<()> {
        let blocks = self.writer.blocks();
        self.measures.written.inc_by(blocks.bytes().len() as u64);
        match self.sync {
            Sync::Disk => self.segment()?.write_blocks(blocks, offset),
            // Nobody waits for the disk: the system's memory is where these bytes are to be.
            Sync::Os => self.segment()?.write_at(blocks.bytes(), offset),
        }
    }

    fn sync(&self) -> io::Result<()> {
        let before = self.clock.now();
        let synced = self.segment()?.sync();
        self.measures.sync_seconds.observe((self.clock.now() - before).as_secs_f64());
        self.measures.syncs.inc();
        synced
    }

    fn segment(&self) -> io::Result<&dyn DiskFile> {
        self.file.as_deref().ok_or_else(|| io::Error::other("no segment is open"))
    }

    fn went_well(&self, step: &'static str, result: io::Result<()>) -> bool {
        let Err(error) = result else { return true };
        self.measures.failures.get_or_create(&Step { step }).inc();
        self.degraded.begin(REASON);
        tracing::error!(step, %error, "the journal left a segment and tries the next");
        false
    }
}

/// Why the process is degraded while no segment can be made durable.
const REASON: &str = "journal";
