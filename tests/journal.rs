//! The journal against a model, with reopening as an operation, and against a disk that loses,
//! keeps or tears every write that was not synced, at every point.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod disk;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use disk::{CrashDisk, Failure, Fate, Lies, fates};
use proptest::prelude::*;
use waypost::clock::{Clock, SystemClock, Timestamp};
use waypost::disk::Disk;
use waypost::drain::Drain;
use waypost::journal::{self, Appender, Config, Fault, Frame, Journal, Reader, Stream};
use waypost::metrics::Metrics;

const FOLDER: &str = "/journal";

/// Small enough that every boundary is crossed: a segment holds a dozen frames.
fn config() -> Config {
    Config {
        directory: PathBuf::from(FOLDER),
        segment: 1_500,
        gather: Duration::ZERO,
        retry: Duration::ZERO,
        ..Config::default()
    }
}

/// A journal of one process.
struct Process {
    journal: Journal,
    appender: Appender,
    drain: Drain,
    runtime: tokio::runtime::Runtime,
}

impl Process {
    fn start(disk: &CrashDisk) -> Self {
        Self::start_with(disk, &config())
    }

    fn start_with(disk: &CrashDisk, config: &Config) -> Self {
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
    fn append(&self, bodies: &[Vec<u8>]) -> Vec<u64> {
        let append = |body: &Vec<u8>| {
            self.appender.account().received();
            self.appender.append(&frame(body)).unwrap().sequence()
        };
        bodies.iter().map(append).collect()
    }

    fn wait_for(&self, sequence: u64) {
        self.runtime.block_on(async {
            let durable = self.journal.durable_past(sequence);
            let wait = tokio::time::timeout(Duration::from_secs(30), durable);
            wait.await.expect("durable within 30 s");
        });
    }

    /// The sequence that the next frame gets.
    fn next(&self) -> u64 {
        self.journal.next_sequence()
    }

    /// Ends as `SIGKILL` does: nothing more is written, the disk is what it was.
    fn kill(self, disk: &CrashDisk) -> CrashDisk {
        let after = disk.after_kill();
        self.end();
        after
    }

    fn end(self) {
        self.journal.abandon();
        let left = self.runtime.block_on(self.drain.finished(Duration::from_secs(30)));
        assert_eq!(left, 0, "the journal's threads end");
    }
}

fn frame(body: &[u8]) -> Frame<'_> {
    let mut id = [0; 16];
    for (into, byte) in id.iter_mut().zip(body) {
        *into = *byte;
    }
    Frame { stream: Stream::Events, time: Timestamp::from_seconds(5), id, key: b"key", body }
}

fn body(number: u64) -> Vec<u8> {
    let length = 1 + (number * 37 % 120) as usize;
    number.to_le_bytes().iter().copied().cycle().take(8 + length).collect()
}

/// All frames of all directories, by sequence; bodies only.
fn contents(disk: &CrashDisk) -> BTreeMap<u64, Vec<u8>> {
    let disk: Arc<dyn Disk> = Arc::new(disk.clone());
    let mut found = BTreeMap::new();
    for (id, path) in journal::directories(&*disk, Path::new(FOLDER)).unwrap() {
        let mut reader = Reader::outside(Arc::clone(&disk), id, &path, 1);
        while let Some(stored) = reader.read().unwrap() {
            assert_eq!(stored.frame, frame(stored.frame.body), "the whole frame is as appended");
            let twice = found.insert(stored.sequence, stored.frame.body.to_vec());
            assert!(twice.is_none(), "sequence {} came twice", stored.sequence);
        }
    }
    found
}

fn faults(disk: &CrashDisk) -> Vec<Fault> {
    let disk: Arc<dyn Disk> = Arc::new(disk.clone());
    let directories = journal::directories(&*disk, Path::new(FOLDER)).unwrap();
    let inspect = |(id, path): (_, PathBuf)| journal::inspect(&disk, id, &path).unwrap().faults;
    directories.into_iter().flat_map(inspect).collect()
}

#[derive(Clone, Debug)]
enum Operation {
    Append(Vec<usize>),
    Kill,
    PowerCut(u64),
    Fail(Failure),
    Close,
}

fn operation() -> impl Strategy<Value = Operation> {
    prop_oneof![
        8 => prop::collection::vec(0usize..400, 1..9).prop_map(Operation::Append),
        2 => Just(Operation::Kill),
        2 => any::<u64>().prop_map(Operation::PowerCut),
        1 => Just(Operation::Fail(Failure::Sync)),
        1 => Just(Operation::Fail(Failure::Write)),
        1 => Just(Operation::Fail(Failure::Create)),
        1 => Just(Operation::Close),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, ..ProptestConfig::default() })]

    #[test]
    fn the_journal_behaves_as_a_list_that_survives_everything(
        operations in prop::collection::vec(operation(), 1..24)
    ) {
        let mut disk = CrashDisk::new(Lies::default());
        let mut process = Process::start(&disk);
        let mut model = BTreeMap::new();
        for operation in operations {
            match operation {
                Operation::Append(lengths) => {
                    let bodies: Vec<_> =
                        lengths.iter().map(|length| vec![*length as u8; *length]).collect();
                    let sequences = process.append(&bodies);
                    process.wait_for(*sequences.last().unwrap());
                    model.extend(sequences.into_iter().zip(bodies));
                }
                Operation::Kill => {
                    disk = process.kill(&disk);
                    process = Process::start(&disk);
                }
                Operation::PowerCut(seed) => {
                    let after = disk.after_power_cut(fates(seed));
                    process.end();
                    disk = after;
                    process = Process::start(&disk);
                }
                Operation::Fail(failure) => {
                    disk.fail(Some(failure));
                    let bodies = vec![vec![7; 90]; 3];
                    let sequences = process.append(&bodies);
                    disk.fail(None);
                    process.wait_for(*sequences.last().unwrap());
                    model.extend(sequences.into_iter().zip(bodies));
                }
                Operation::Close => {
                    process.end();
                    disk = disk.after_kill();
                    process = Process::start(&disk);
                }
            }
            prop_assert!(contents(&disk) == model, "{:?}", contents(&disk).keys());
            let mut own = process.journal.reader(1);
            let mut count = 0;
            while let Some(stored) = own.read().unwrap() {
                prop_assert_eq!(&model[&stored.sequence], stored.frame.body);
                count += 1;
            }
            prop_assert_eq!(count, model.len());
            prop_assert_eq!(faults(&disk), Vec::new());
        }
        process.end();
    }
}

/// Appends batches, with a failing sync, write and making of a file on the way; the history of
/// the disk then holds every moment at which a crash could fall.
fn eventful_run(lies: Lies) -> CrashDisk {
    let disk = CrashDisk::new(lies);
    disk.remember();
    let process = Process::start(&disk);
    let mut number = 0;
    for round in 0..14 {
        let failure = match round {
            4 => Some(Failure::Sync),
            7 => Some(Failure::Write),
            10 => Some(Failure::Create),
            _ => None,
        };
        let bodies: Vec<_> = (0..4).map(|of| body(number + of)).collect();
        number += 4;
        disk.fail(failure);
        let last = *process.append(&bodies).last().unwrap();
        if failure.is_some() {
            // Let it fail at least once before the disk heals.
            while process.journal.durable() <= last && disk.failures() == 0 {
                std::thread::yield_now();
            }
        }
        disk.fail(None);
        process.wait_for(last);
        disk.acknowledged.store(last, Ordering::SeqCst);
    }
    process.end();
    disk
}

/// Cuts the power at every moment, in several ways; returns how many cuts lost a frame that had
/// been acknowledged.
fn losses(disk: &CrashDisk) -> usize {
    let mut lost = 0;
    for (at, moment) in disk.moments().iter().enumerate() {
        for way in 0..6 {
            let cut = match way {
                0 => moment.disk().after_power_cut(|| Fate::Lost),
                1 => moment.disk().after_power_cut(|| Fate::Kept),
                2 => moment.disk().after_kill(),
                _ => moment.disk().after_power_cut(fates(at as u64 * 31 + way)),
            };
            let process = Process::start(&cut);
            let found = contents(&cut);
            for (sequence, found) in &found {
                assert_eq!(*found, body(sequence - 1), "moment {at}: nothing is invented");
            }
            lost += usize::from((1..=moment.acknowledged).any(|s| !found.contains_key(&s)));
            let fresh = process.append(&[body(process.next() - 1)]);
            assert!(!found.contains_key(&fresh[0]), "moment {at}: no sequence is given twice");
            process.wait_for(fresh[0]);
            process.end();
            assert!(contents(&cut).contains_key(&fresh[0]), "moment {at}: it goes on");
        }
    }
    lost
}

#[test]
fn a_power_cut_at_any_point_loses_nothing_that_was_acknowledged() {
    let disk = eventful_run(Lies::default());
    assert!(disk.moments().len() > 60, "only {} moments", disk.moments().len());
    assert_eq!(losses(&disk), 0);
}

#[test]
fn the_crash_disk_sees_a_sync_that_is_skipped() {
    let lies = Lies { skips_sync: true, ..Lies::default() };
    assert!(losses(&eventful_run(lies)) > 0);
}

#[test]
fn the_crash_disk_sees_a_directory_sync_that_is_skipped() {
    let lies = Lies { skips_directory_sync: true, ..Lies::default() };
    assert!(losses(&eventful_run(lies)) > 0);
}
