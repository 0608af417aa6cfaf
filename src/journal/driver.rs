//! The writer's hand: does what the [writer](super::writer) decides, and nothing else.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, TryRecvError};
use std::time::Duration;

use super::config::Sync;
use super::keeper::Prepared;
use super::measures::{Measures, Step};
use super::queue::{Batch, Queue};
use super::writer::{Action, Event, Writer};
use crate::clock::Clock;
use crate::disk::DiskFile;
use crate::metrics::Degraded;

/// The hand. It goes on by [turns](Driver::turn), each of which calls the disk once at most; a
/// thread takes them, or a simulation.
#[derive(Debug)]
pub(super) struct Driver {
    pub(super) writer: Writer,
    /// What the next turn does.
    pub(super) next: Action,
    /// What there is of the sequences before this one is durable when the writer rests for the
    /// first time.
    pub(super) start: Option<u64>,
    pub(super) queue: Arc<Queue>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) gather: Duration,
    /// How many frames the last batch had.
    pub(super) last: usize,
    pub(super) sync: Sync,
    pub(super) file: Option<Box<dyn DiskFile>>,
    pub(super) spare: Spare,
    pub(super) measures: Measures,
    pub(super) degraded: Degraded,
    /// Whether a step failed since a frame was last made durable.
    pub(super) is_failing: bool,
}

/// The prepared segment, asked for one ahead.
#[derive(Debug)]
pub(super) struct Spare {
    pub(super) wanted: Sender<u64>,
    pub(super) ready: Receiver<Prepared>,
    /// The number that was asked for last.
    pub(super) asked: u64,
    /// Whether it was asked for ahead of need.
    pub(super) is_ahead: bool,
    /// What came last.
    pub(super) arrived: Option<Prepared>,
}

impl Driver {
    /// Takes turns until there are none, waiting for what each needs: until the queue is closed
    /// and empty, or abandoned while the disk fails.
    pub(super) fn run(mut self) {
        while !self.is_over() {
            match self.next {
                Action::Rest => self.queue.wait(self.last, self.gather),
                Action::Open { number } => self.spare.wait(number),
                Action::Wait { until } => {
                    std::thread::sleep(until.saturating_duration_since(self.clock.now()));
                }
                _ => {}
            }
            self.turn();
        }
    }

    /// Goes on by one step; false when it cannot, since no frame, segment or time to try again
    /// has come yet. Blocks for as long as the disk does.
    pub(super) fn turn(&mut self) -> bool {
        let Some(event) = self.act() else { return false };
        self.step(event);
        true
    }

    /// Has the writer decide what the next turn does.
    pub(super) fn step(&mut self, event: Event) {
        self.next = self.writer.step(event, self.clock.now(), self.clock.wall());
        if self.next == Action::Rest
            && let Some(start) = self.start.take()
        {
            self.queue.publish(start, &[]);
        }
    }

    /// Whether no turn is left.
    pub(super) fn is_over(&self) -> bool {
        match self.next {
            Action::Rest => self.queue.is_over(),
            Action::Wait { .. } => self.queue.is_abandoned(),
            _ => false,
        }
    }

    fn act(&mut self) -> Option<Event> {
        Some(match self.next {
            Action::Open { number } => {
                let opened = self.spare.take(number)?.map(|file| self.file = Some(file));
                Event::Opened(self.went_well(&OPEN, opened))
            }
            Action::Write { offset } => {
                let written = self.write(offset);
                Event::Written(self.went_well(&WRITE, written))
            }
            Action::Sync => {
                let synced = self.sync();
                Event::Synced(self.went_well(&SYNC, synced))
            }
            Action::Publish { durable } => {
                self.measures.durable.set(durable);
                self.end_degraded();
                self.queue.publish(durable, &self.writer.batch().from);
                Event::Published
            }
            Action::Wait { until } if self.clock.now() < until => return None,
            Action::Wait { .. } => Event::Retry,
            Action::Rest => Event::Batch(self.take()?),
        })
    }

    fn take(&mut self) -> Option<Batch> {
        let batch = self.queue.take(self.writer.emptied())?;
        self.last = batch.count;
        self.measures.batch_frames.observe(batch.count as f64);
        Some(batch)
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

    fn went_well(&mut self, at: &Failing, result: io::Result<()>) -> bool {
        let Err(error) = result else { return true };
        let step = at.step;
        self.measures.failures.get_or_create(&Step { step }).inc();
        self.is_failing = true;
        self.degraded.begin(at.reason);
        tracing::error!(step, %error, "the journal left a segment and tries the next");
        false
    }

    fn end_degraded(&mut self) {
        if std::mem::take(&mut self.is_failing) {
            [OPEN, WRITE, SYNC].iter().for_each(|at| self.degraded.end(at.reason));
        }
    }
}

/// A step that may fail, and why the process is degraded until a segment is durable again.
#[derive(Clone, Copy, Debug)]
struct Failing {
    step: &'static str,
    reason: &'static str,
}

const OPEN: Failing = Failing { step: "open", reason: "journal_open" };
const WRITE: Failing = Failing { step: "write", reason: "journal_write" };
const SYNC: Failing = Failing { step: "sync", reason: "journal_sync" };

impl Spare {
    /// Waits until the segment has come, or will never come.
    fn wait(&mut self, number: u64) {
        self.ask(number);
        while self.arrived.as_ref().is_none_or(|(arrived, _)| *arrived != number) {
            let Ok(prepared) = self.ready.recv() else { return };
            self.arrived = Some(prepared);
        }
    }

    /// The segment, if it has come; the next one is then asked for.
    fn take(&mut self, number: u64) -> Option<io::Result<Box<dyn DiskFile>>> {
        self.ask(number);
        loop {
            match self.arrived.take() {
                // What failed long ago, ahead of need, says nothing of the disk now.
                Some((arrived, Err(_))) if arrived == number && self.is_ahead => {
                    self.asked = 0;
                    self.ask(number);
                }
                Some((arrived, file)) if arrived == number => {
                    // After a failure the next is tried when the writer asks for it.
                    if file.is_ok() {
                        self.ask(number + 1);
                        self.is_ahead = true;
                    }
                    return Some(file);
                }
                // Asked for before the writer left a segment early, and then not taken.
                _ => match self.ready.try_recv() {
                    Ok(prepared) => self.arrived = Some(prepared),
                    Err(TryRecvError::Empty) => return None,
                    Err(TryRecvError::Disconnected) => {
                        return Some(Err(io::Error::other("the journal's keeper has ended")));
                    }
                },
            }
        }
    }

    fn ask(&mut self, number: u64) {
        // One that has ended cannot be asked: taking tells.
        if self.asked < number && self.wanted.send(number).is_ok() {
            self.asked = number;
            self.is_ahead = false;
        }
    }
}
