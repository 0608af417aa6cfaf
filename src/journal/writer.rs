//! What to write where, decided without a thread, a file or a clock.
//!
//! The [driver](super::driver) does what [`Writer::step`] asks and hands back how it went. One
//! batch is in hand at a time; a batch that does not fit is written in parts.

use std::time::{Duration, Instant};

use super::config::Sync;
use super::frame;
use super::queue::Batch;
use super::segment::{HEADER, Header};
use crate::clock::Timestamp;
use crate::disk::{BLOCK, Blocks};

/// What the driver does next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Action {
    /// Take the prepared file of this segment; answer [`Event::Opened`].
    Open { number: u64 },
    /// Write [`Writer::blocks`] at this offset of the open segment; answer [`Event::Written`].
    Write { offset: u64 },
    /// Sync the open segment; answer [`Event::Synced`].
    Sync,
    /// Publish that everything before this sequence is durable; answer [`Event::Published`].
    Publish { durable: u64 },
    /// Do nothing until then, then answer [`Event::Retry`].
    Wait { until: Instant },
    /// The batch is durable. Give the next with [`Event::Batch`].
    Rest,
}

/// What the driver hands in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Event {
    /// Frames to make durable.
    Batch(Batch),
    /// The segment is open for writing, or could not be opened.
    Opened(bool),
    /// All bytes were written, or not.
    Written(bool),
    /// The segment was synced, or not.
    Synced(bool),
    /// The position was published.
    Published,
    /// The time to wait for has come.
    Retry,
}

/// The state of the journal's one writer.
#[derive(Debug)]
pub(super) struct Writer {
    settings: Settings,
    directory: u64,
    place: Place,
    /// The number of the next segment.
    next_number: u64,
    /// The first sequence that is not durable.
    durable: u64,
    batch: Batch,
    /// Bytes of the batch that are durable.
    done: usize,
    /// Bytes of the batch that are written or being written.
    part: usize,
    /// What [`Action::Write`] writes: whole blocks, the first of which may begin with what the
    /// segment holds already.
    blocks: Blocks,
    /// Bytes of [`Writer::blocks`] before the zeros that fill up the last block.
    written: usize,
    /// What the segment holds after its last whole block.
    tail: Vec<u8>,
    /// Whether a step failed since a frame was last made durable.
    is_failing: bool,
}

/// What the writer needs of the configuration.
#[derive(Clone, Copy, Debug)]
pub(super) struct Settings {
    pub(super) segment: u64,
    pub(super) sync: Sync,
    /// How long after a failure, which is not the first, the next segment is tried.
    pub(super) retry: Duration,
}

/// Where the next bytes go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// Nowhere yet: a segment is needed. It repeats the end of `predecessor` unless that is 0.
    Nowhere { predecessor: u64 },
    /// Into this segment, at this offset. At 0 the header comes first.
    Segment { number: u64, offset: u64, predecessor: u64 },
}

impl Writer {
    /// A writer that has nothing in hand. `durable` is the first sequence not durable yet;
    /// `predecessor` the segment whose end the first batch repeats, 0 for none.
    pub(super) fn new(
        settings: Settings,
        directory: u64,
        next_number: u64,
        durable: u64,
        predecessor: u64,
    ) -> Self {
        Self {
            settings,
            directory,
            place: Place::Nowhere { predecessor },
            next_number,
            durable,
            batch: Batch::default(),
            done: 0,
            part: 0,
            blocks: Blocks::default(),
            written: 0,
            tail: Vec::with_capacity(BLOCK),
            is_failing: false,
        }
    }

    /// Takes what happened, says what to do.
    pub(super) fn step(&mut self, event: Event, now: Instant, wall: Timestamp) -> Action {
        match event {
            Event::Batch(batch) => {
                debug_assert!(self.done == self.batch.bytes.len(), "one batch at a time");
                self.batch = batch;
                self.done = 0;
                self.write_part(wall)
            }
            Event::Retry | Event::Opened(true) => self.write_part(wall),
            Event::Written(true) if self.settings.sync == Sync::Disk => Action::Sync,
            Event::Written(true) | Event::Synced(true) => self.part_durable(),
            Event::Published if self.done < self.batch.bytes.len() => self.write_part(wall),
            Event::Published => Action::Rest,
            // Clicks are waiting, and one segment may be bad where the next, which is ready, is
            // good: a first failure costs no wait.
            Event::Written(false) | Event::Synced(false) if !self.is_failing => {
                self.seal();
                self.open()
            }
            Event::Opened(false) | Event::Written(false) | Event::Synced(false) => {
                self.seal();
                Action::Wait { until: now + self.settings.retry }
            }
        }
    }

    /// What [`Action::Write`] writes.
    pub(super) fn blocks(&self) -> &Blocks {
        &self.blocks
    }

    /// The batch in hand.
    pub(super) fn batch(&self) -> &Batch {
        &self.batch
    }

    /// The batch that is durable, to be filled again.
    pub(super) fn emptied(&mut self) -> Batch {
        let mut batch = std::mem::take(&mut self.batch);
        batch.bytes.clear();
        // A burst's buffer is not kept for ever.
        batch.bytes.shrink_to(KEPT_BUFFER);
        batch.from.clear();
        batch.count = 0;
        self.done = 0;
        batch
    }

    fn write_part(&mut self, wall: Timestamp) -> Action {
        let rest = &self.batch.bytes[self.done..];
        let Some(first) = frame::padded_length(rest) else { return Action::Rest };
        let Place::Segment { number, offset, predecessor } = self.place else {
            return self.open();
        };
        let start = if offset == 0 { HEADER } else { 0 };
        let room = (self.settings.segment - offset) as usize - start;
        if first > room {
            self.place = Place::Nowhere { predecessor: 0 };
            return self.open();
        }
        let part = whole_frames(rest, room);
        let length = self.tail.len() + start + part;
        self.blocks.begin(length);
        self.blocks.extend(&self.tail);
        if offset == 0 {
            let first = frame::sequence(rest);
            let directory = self.directory;
            let header = Header { directory, number, first, predecessor, begun: wall };
            self.blocks.extend(&header.encode());
        }
        self.blocks.extend(&rest[..part]);
        let seed = frame::seed(self.directory, number);
        // In `os` mode a frame is durable, by that mode's meaning, as soon as it is written.
        let durable = match self.settings.sync {
            Sync::Disk => self.durable,
            Sync::Os => u64::MAX,
        };
        frame::stamp(&mut self.blocks.bytes_mut()[self.tail.len() + start..], seed, durable);
        self.part = self.done + part;
        self.written = length;
        let offset = offset - self.tail.len() as u64;
        // A segment ends where it was made to end.
        let end = (self.settings.segment - offset) as usize;
        self.blocks.fill(length.next_multiple_of(BLOCK).min(end));
        Action::Write { offset }
    }

    fn open(&mut self) -> Action {
        let Place::Nowhere { predecessor } = self.place else {
            unreachable!("only called when no segment accepts writes")
        };
        let number = self.next_number;
        self.next_number += 1;
        self.place = Place::Segment { number, offset: 0, predecessor };
        self.tail.clear();
        Action::Open { number }
    }

    fn part_durable(&mut self) -> Action {
        let part = &self.batch.bytes[self.done..self.part];
        self.durable = last_sequence(part).map_or(self.durable, |last| last + 1);
        if let Place::Segment { offset, .. } = &mut self.place {
            *offset += (self.written - self.tail.len()) as u64;
        }
        let whole = self.written - self.written % BLOCK;
        self.tail.clear();
        self.tail.extend_from_slice(&self.blocks.bytes()[whole..self.written]);
        self.done = self.part;
        self.is_failing = false;
        Action::Publish { durable: self.durable }
    }

    /// Leaves the segment for ever. What it may have lost is repeated in the next one.
    fn seal(&mut self) {
        self.is_failing = true;
        let predecessor = match self.place {
            // Nothing of it is durable: what it was to repeat is still to be repeated, and what
            // it may hold by now lies between.
            Place::Segment { offset: 0, predecessor, .. } if predecessor != 0 => predecessor,
            Place::Segment { number, .. } => number,
            Place::Nowhere { predecessor } => predecessor,
        };
        self.place = Place::Nowhere { predecessor };
    }
}

/// Bytes of buffer that are kept between batches.
const KEPT_BUFFER: usize = 4 << 20;

/// Bytes of the whole frames at the start of `bytes` that fit into `room`.
fn whole_frames(bytes: &[u8], room: usize) -> usize {
    let mut end = 0;
    while let Some(length) = frame::padded_length(&bytes[end..]) {
        if end + length > room {
            break;
        }
        end += length;
    }
    end
}

fn last_sequence(bytes: &[u8]) -> Option<u64> {
    let mut rest = bytes;
    let mut last = None;
    while let Some(length) = frame::padded_length(rest) {
        last = Some(frame::sequence(rest));
        rest = &rest[length..];
    }
    last
}
