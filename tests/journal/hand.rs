//! A journal whose hands are moved by the test.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use waypost::clock::Clock;
use waypost::disk::Disk;
use waypost::journal::{
    self, Appender, Config, Crew, DirectoryId, Journal, Reader, Refused, Report,
};
use waypost::metrics::Metrics;

use crate::clock::Standing;
use crate::disk::{CrashDisk, Lies};
use crate::process::{FOLDER, body, config, frame};

#[derive(Debug)]
pub(crate) struct Hand {
    pub(crate) journal: Journal,
    pub(crate) crew: Crew,
    pub(crate) clock: Arc<Standing>,
    appender: Appender,
    metrics: Metrics,
    disk: CrashDisk,
}

impl Hand {
    /// Starts and comes to rest.
    pub(crate) fn start(disk: &CrashDisk, config: &Config) -> Self {
        Self::start_at(disk, config, &Arc::new(Standing::new()))
    }

    pub(crate) fn start_at(disk: &CrashDisk, config: &Config, clock: &Arc<Standing>) -> Self {
        let (disk, metrics) = (disk.process(), Metrics::new());
        let seam: Arc<dyn Disk> = Arc::new(disk.clone());
        disk.set_wall(clock.wall().micros());
        let given: Arc<dyn Clock> = clock.clone();
        let (journal, crew) = Journal::at_rest(config, seam, given, &metrics).unwrap();
        let appender = journal.appender(metrics.ledger.open());
        let clock = Arc::clone(clock);
        let mut hand = Self { journal, crew, clock, appender, metrics, disk };
        hand.rest();
        hand
    }

    /// Moves until nothing is left to do.
    pub(crate) fn rest(&mut self) {
        while self.crew.write() | self.crew.keep() {}
    }

    /// Lets time pass, and the keeper look.
    pub(crate) fn pass(&mut self, time: Duration) {
        self.clock.pass(time);
        self.look();
    }

    pub(crate) fn look(&mut self) {
        self.disk.set_wall(self.clock.wall().micros());
        self.crew.retain();
    }

    pub(crate) fn try_append(&self, body: &[u8]) -> Result<u64, Refused> {
        self.appender.account().received();
        self.appender.append(&frame(body)).map(|durable| durable.sequence())
    }

    /// Appends the bodies that tell their sequences, and makes them durable one by one.
    pub(crate) fn append(&mut self, count: u64) {
        for _ in 0..count {
            self.append_together(1);
        }
    }

    /// The same, in one batch.
    pub(crate) fn append_together(&mut self, count: u64) {
        for _ in 0..count {
            let sequence = self.journal.next_sequence();
            assert_eq!(self.try_append(&body(sequence)), Ok(sequence));
        }
        self.rest();
        assert_eq!(self.journal.durable(), self.journal.next_sequence());
    }

    /// Ends as `SIGKILL` does.
    pub(crate) fn kill(self) {
        self.disk.kill();
    }

    /// The value of one of the journal's metrics.
    pub(crate) fn metric(&self, name: &str) -> u64 {
        let text = self.metrics.text();
        let line = format!("waypost_journal_{name} ");
        let value = text.lines().find_map(|of| of.strip_prefix(&line));
        value.and_then(|value| value.parse().ok()).unwrap_or_else(|| panic!("{name} in {text}"))
    }

    /// The path of one of our segments.
    pub(crate) fn segment(&self, number: u64) -> PathBuf {
        segment(self.journal.directory(), number)
    }
}

pub(crate) fn segment(directory: DirectoryId, number: u64) -> PathBuf {
    Path::new(FOLDER).join(format!("{directory}/{number:010}.segment"))
}

/// A journal at rest, in one directory, with `count` frames in segments of `bytes`.
pub(crate) fn written(bytes: u64, count: u64) -> (CrashDisk, DirectoryId) {
    let disk = CrashDisk::new(Lies::default());
    let mut hand = Hand::start(&disk, &config(bytes));
    hand.append(count);
    let directory = hand.journal.directory();
    hand.kill();
    (disk, directory)
}

/// The disk as somebody outside has it.
pub(crate) fn seam(disk: &CrashDisk) -> Arc<dyn Disk> {
    Arc::new(disk.process())
}

/// What somebody outside reads of a directory.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Reading {
    /// In the order in which they came.
    pub(crate) sequences: Vec<u64>,
    /// Frames that are not as they were appended.
    pub(crate) altered: u64,
    pub(crate) skipped: u64,
    pub(crate) refused: u64,
}

pub(crate) fn read(disk: &Arc<dyn Disk>, directory: DirectoryId) -> Reading {
    let path = Path::new(FOLDER).join(directory.to_string());
    let mut reader = Reader::outside(Arc::clone(disk), directory, &path, 1);
    let mut reading = Reading::default();
    loop {
        while let Some(stored) = reader.read().unwrap() {
            let expected = body(stored.sequence);
            reading.altered += u64::from(stored.frame != frame(&expected));
            reading.sequences.push(stored.sequence);
        }
        if !reader.is_in_doubt() {
            break;
        }
    }
    Reading { skipped: reader.skipped(), refused: reader.refused(), ..reading }
}

pub(crate) fn inspect(disk: &Arc<dyn Disk>, directory: DirectoryId) -> Report {
    let path = Path::new(FOLDER).join(directory.to_string());
    journal::inspect(disk, directory, &path).unwrap()
}
