//! Readers beside a writer, without its lock.

use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex};

use waypost::disk::{Access, Disk, DiskFile, DiskLock, Entry};
use waypost::journal::{Note, Reader};

use crate::disk::{CrashDisk, Failure, Lies};
use crate::hand::{Hand, inspect, read, seam};
use crate::process::{FOLDER, body, config};

#[test]
fn an_unfinished_tail_of_a_live_journal_is_not_yet_written() {
    let disk = CrashDisk::new(Lies::default());
    let mut hand = Hand::start(&disk, &config(9_000));
    let directory = hand.journal.directory();
    let mut unfinished = 0;
    for round in 0..30 {
        let durable = hand.journal.durable();
        for _ in 0..40 {
            let sequence = hand.journal.next_sequence();
            hand.try_append(&body(sequence)).unwrap();
        }
        if round % 3 == 0 {
            // A write that is seen before it has arrived whole.
            disk.fail_next(Failure::Write);
        }
        loop {
            let report = inspect(&seam(&disk), directory);
            assert_eq!((report.faults, report.lost), (vec![], 0));
            let notes = report.notes.iter();
            unfinished += notes.filter(|note| matches!(note, Note::Unfinished { .. })).count();
            let seen = read(&seam(&disk), directory);
            assert_eq!((seen.altered, seen.skipped, seen.refused), (0, 0, 0));
            let count = seen.sequences.len() as u64;
            assert_eq!(seen.sequences, (1..=count).collect::<Vec<_>>(), "none is passed over");
            assert!(count >= durable.max(hand.journal.durable()) - 1);
            hand.clock.pass(std::time::Duration::from_millis(1));
            if !(hand.crew.write() | hand.crew.keep()) {
                break;
            }
        }
    }
    assert!(unfinished > 5, "{unfinished}");
}

/// Named by what broke: a reader that came to the end of a segment, and then saw the next one,
/// passed over what had been added to the first in between.
#[test]
fn a_reader_at_a_segment_s_end_misses_nothing_that_is_added_while_it_looks() {
    let disk = CrashDisk::new(Lies::default());
    let mut hand = Hand::start(&disk, &config(2_000));
    hand.append(5);
    let directory = hand.journal.directory();
    let hand = Arc::new(Mutex::new(hand));
    let busy: Arc<dyn Disk> = Arc::new(Busy { disk: disk.process(), hand: Arc::clone(&hand) });
    let path = Path::new(FOLDER).join(directory.to_string());
    let mut reader = Reader::outside(busy, directory, &path, 1);
    let mut read = Vec::new();
    while let Some(stored) = reader.read().unwrap() {
        read.push(stored.sequence);
    }
    assert_eq!(reader.skipped(), 0);
    let next = hand.lock().unwrap().journal.next_sequence();
    assert!(next >= 200);
    assert_eq!(read, (1..next).collect::<Vec<_>>());
}

/// A disk whose journal goes on each time that somebody looks at its directory.
#[derive(Debug)]
struct Busy {
    disk: CrashDisk,
    hand: Arc<Mutex<Hand>>,
}

impl Disk for Busy {
    fn create_directory(&self, path: &Path) -> io::Result<()> {
        self.disk.create_directory(path)
    }

    fn sync_directory(&self, path: &Path) -> io::Result<()> {
        self.disk.sync_directory(path)
    }

    fn list(&self, path: &Path) -> io::Result<Vec<Entry>> {
        // More than a segment holds, so that one is ended and the next begun.
        let mut hand = self.hand.lock().unwrap();
        if hand.journal.next_sequence() < 200 {
            hand.append(17);
        }
        self.disk.list(path)
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        self.disk.create(path)
    }

    fn open(&self, path: &Path, access: Access) -> io::Result<Box<dyn DiskFile>> {
        self.disk.open(path, access)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.disk.remove(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.disk.rename(from, to)
    }

    fn lock(&self, path: &Path) -> io::Result<Option<DiskLock>> {
        Disk::lock(&self.disk, path)
    }
}

#[test]
fn a_reader_inside_reads_below_the_durable_position_only() {
    let disk = CrashDisk::new(Lies::default());
    let mut hand = Hand::start(&disk, &config(9_000));
    let mut reader = hand.journal.reader(1);
    for _ in 0..200 {
        let sequence = hand.journal.next_sequence();
        hand.try_append(&body(sequence)).unwrap();
        for _ in 0..sequence % 4 {
            hand.crew.write();
        }
        hand.crew.keep();
        while let Some(stored) = reader.read().unwrap() {
            assert!(stored.sequence < hand.journal.durable());
            assert_eq!(stored.frame.body, body(stored.sequence));
        }
        assert_eq!(reader.position(), hand.journal.durable(), "all that is durable is read");
    }
    assert_eq!(reader.skipped(), 0);
}
