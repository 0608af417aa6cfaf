//! A journal whose hands are threads.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use waypost::clock::{Clock, SystemClock, Timestamp};
use waypost::disk::Disk;
use waypost::drain::Drain;
use waypost::journal::{
    self, Appender, Config, DirectoryId, Fault, Frame, Journal, Reader, Report, Stream,
};
use waypost::metrics::Metrics;

use crate::disk::CrashDisk;

pub(crate) const FOLDER: &str = "/data/journal";

/// Small enough that every boundary is crossed: `segment` bytes hold few frames.
pub(crate) fn config(segment: u64) -> Config {
    Config {
        directory: PathBuf::from(FOLDER),
        segment,
        gather: Duration::ZERO,
        retry: Duration::ZERO,
        ..Config::default()
    }
}

/// A journal of one process.
pub(crate) struct Process {
    pub(crate) journal: Journal,
    appender: Appender,
    drain: Drain,
    runtime: tokio::runtime::Runtime,
}

impl Process {
    pub(crate) fn start(disk: &CrashDisk, config: &Config) -> Self {
        let (drain, metrics) = (Drain::new(), Metrics::new());
        let disk: Arc<dyn Disk> = Arc::new(disk.clone());
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let journal = Journal::open(config, disk, clock, &metrics, &drain).unwrap();
        let appender = journal.appender(metrics.ledger.open());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let process = Self { journal, appender, drain, runtime };
        process.wait_for(process.next() - 1);
        process
    }

    /// Appends frames together and returns their sequences, durable or not.
    pub(crate) fn append(&self, bodies: &[Vec<u8>]) -> Vec<u64> {
        let append = |body: &Vec<u8>| {
            self.appender.account().received();
            self.appender.append(&frame(body)).unwrap().sequence()
        };
        bodies.iter().map(append).collect()
    }

    pub(crate) fn wait_for(&self, sequence: u64) {
        self.runtime.block_on(async {
            let durable = self.journal.durable_past(sequence);
            let wait = tokio::time::timeout(Duration::from_secs(30), durable);
            wait.await.expect("durable within 30 s");
        });
    }

    /// The sequence that the next frame gets.
    pub(crate) fn next(&self) -> u64 {
        self.journal.next_sequence()
    }

    /// Ends without waiting for a disk that fails.
    pub(crate) fn end(self) {
        self.journal.abandon();
        let left = self.runtime.block_on(self.drain.finished(Duration::from_secs(30)));
        assert_eq!(left, 0, "the journal's threads end");
    }
}

pub(crate) fn frame(body: &[u8]) -> Frame<'_> {
    let mut id = [0; 16];
    for (into, byte) in id.iter_mut().zip(body) {
        *into = *byte;
    }
    Frame { stream: Stream::Events, time: Timestamp::from_seconds(5), id, key: b"key", body }
}

/// A body that tells its number, of a length that differs from number to number.
pub(crate) fn body(number: u64) -> Vec<u8> {
    let length = 1 + (number * 37 % 120) as usize;
    number.to_le_bytes().iter().copied().cycle().take(8 + length).collect()
}

/// All frames of all directories; bodies only.
pub(crate) fn contents(disk: &CrashDisk) -> BTreeMap<(DirectoryId, u64), Vec<u8>> {
    let disk: Arc<dyn Disk> = Arc::new(disk.clone());
    let mut found = BTreeMap::new();
    for (id, path) in journal::directories(&*disk, Path::new(FOLDER)).unwrap() {
        let mut reader = Reader::outside(Arc::clone(&disk), id, &path, 1);
        loop {
            while let Some(stored) = reader.read().unwrap() {
                assert_eq!(
                    stored.frame,
                    frame(stored.frame.body),
                    "the whole frame is as appended"
                );
                let twice = found.insert((id, stored.sequence), stored.frame.body.to_vec());
                assert!(twice.is_none(), "sequence {} came twice", stored.sequence);
            }
            if !reader.is_in_doubt() {
                break;
            }
        }
    }
    found
}

/// What looking at each directory tells.
pub(crate) fn reports(disk: &CrashDisk) -> Vec<Report> {
    let disk: Arc<dyn Disk> = Arc::new(disk.clone());
    let directories = journal::directories(&*disk, Path::new(FOLDER)).unwrap();
    let inspect = |(id, path): (_, PathBuf)| journal::inspect(&disk, id, &path).unwrap();
    directories.into_iter().map(inspect).collect()
}

pub(crate) fn faults(disk: &CrashDisk) -> Vec<Fault> {
    reports(disk).into_iter().flat_map(|report| report.faults).collect()
}
